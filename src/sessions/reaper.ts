import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';

/** One kind of row that time ends. */
export interface ReapTask {
  name: string;
  /** Deletes at most `limit` rows that are over at `now`; returns how many. */
  deleteExpired: (tx: Tx, now: number, limit: number) => number;
  /** Before that, puts off at most `limit` rows that only look over; returns how many. */
  postponeKept?: (tx: Tx, now: number, limit: number) => number;
}

export interface ReaperDeps {
  db: Db;
  tasks: readonly ReapTask[];
  /** Writes last uses first: a session in use may look run out in the store. */
  flush: () => Promise<void>;
}

/** Rows deleted, by task; `suspended` when the clock cannot be trusted with deleting. */
export type ReapReport = { suspended: true } | { suspended: false; deleted: Record<string, number> };

/** Small enough that one batch holds the event loop for less than 10 ms. */
const BATCH_ROWS = 100;

/** One round: deletes what has expired, in batches that leave room for others between them. */
export async function reapExpired(
  { db, tasks, flush }: ReaperDeps,
  signal?: AbortSignal,
): Promise<ReapReport> {
  if (!db.timeMark.mayDelete()) return { suspended: true };
  await flush();
  const mayGoOn = () => signal?.aborted !== true && db.timeMark.mayDelete();
  /** Calls `batch` until it has less to do than a whole one; resolves with how many rows it dealt with. */
  const inBatches = async (batch: ReapTask['deleteExpired']) => {
    let rows = 0;
    for (let last = BATCH_ROWS; last === BATCH_ROWS && mayGoOn(); rows += last) {
      last = await db.write((tx) => batch(tx, db.timeMark.now(), BATCH_ROWS));
    }
    return rows;
  };
  const deleted: Record<string, number> = {};
  for (const { name, deleteExpired, postponeKept } of tasks) {
    if (postponeKept !== undefined) await inBatches(postponeKept);
    deleted[name] = await inBatches(deleteExpired);
  }
  return { suspended: false, deleted };
}
