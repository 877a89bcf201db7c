import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';

/** One kind of row that time ends. */
export interface ReapTask {
  name: string;
  /** Deletes at most `limit` rows that are over at `now`; returns how many. */
  deleteExpired: (tx: Tx, now: number, limit: number) => number;
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
const BATCH_ROWS = 200;

/** One round: deletes what has expired, in batches that leave room for others between them. */
export async function reapExpired(
  { db, tasks, flush }: ReaperDeps,
  signal?: AbortSignal,
): Promise<ReapReport> {
  if (!db.timeMark.mayDelete()) return { suspended: true };
  await flush();
  const deleted: Record<string, number> = {};
  for (const { name, deleteExpired } of tasks) {
    deleted[name] = 0;
    for (let rows = BATCH_ROWS; rows === BATCH_ROWS && signal?.aborted !== true; ) {
      rows = await db.write((tx) => deleteExpired(tx, db.timeMark.now(), BATCH_ROWS));
      deleted[name] += rows;
    }
  }
  return { suspended: false, deleted };
}
