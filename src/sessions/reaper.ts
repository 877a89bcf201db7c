import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';

/** One kind of row that time ends. */
export interface ReapTask {
  name: string;
  /** Deletes at most `limit` rows that are over at `now`; returns how many, and 0 only when none is left. */
  deleteExpired: (tx: Tx, now: number, limit: number) => number;
  /** Before each of these, puts off at most `limit` rows that only look over; returns how many. */
  postponeKept?: (tx: Tx, now: number, limit: number) => number;
}

export interface ReaperDeps {
  db: Db;
  clock: Clock;
  tasks: readonly ReapTask[];
  /** Writes last uses first: a session in use may look run out in the store. */
  flush: () => Promise<void>;
  /** What ended so short a while ago stays: another process may have noted a use that it has not written yet. In milliseconds. */
  graceMs?: number;
}

/** Rows deleted, by task; `suspended` when the clock cannot be trusted with deleting. */
export type ReapReport = { suspended: true } | { suspended: false; deleted: Record<string, number> };

/**
 * A batch ends once it has taken this long: with the steps below it then holds the event loop for less than 10 ms,
 * its commit included, on whatever machine.
 */
const BATCH_MS = 2;

/** Rows of the steps that a batch takes. None is much longer than those before it together, so none outruns the time by far. */
const STEPS = [8, 16, 32, 64];

/** One round: deletes what has expired, in batches that leave room for others between them. */
export async function reapExpired(
  { db, clock, tasks, flush, graceMs = 0 }: ReaperDeps,
  signal?: AbortSignal,
): Promise<ReapReport> {
  if (!db.timeMark.mayDelete()) return { suspended: true };
  await flush();
  const mayGoOn = () => signal?.aborted !== true && db.timeMark.mayDelete();
  const reapAll = async (task: ReapTask) => {
    let deleted = 0;
    for (let isMore = true; isMore && mayGoOn(); ) {
      const batch = await db.write((tx) => reapBatch(tx, task, db.timeMark.now() - graceMs, clock));
      deleted += batch.deleted;
      isMore = batch.isMore;
    }
    return deleted;
  };
  const deleted: Record<string, number> = {};
  for (const task of tasks) deleted[task.name] = await reapAll(task);
  return { suspended: false, deleted };
}

function reapBatch(tx: Tx, { deleteExpired, postponeKept }: ReapTask, now: number, clock: Clock) {
  const stopAt = clock.monotonicNow() + BATCH_MS;
  let deleted = 0;
  for (const limit of STEPS) {
    const postponed = postponeKept?.(tx, now, limit) ?? 0;
    const gone = deleteExpired(tx, now, limit);
    deleted += gone;
    if (postponed + gone === 0) return { deleted, isMore: false };
    if (clock.monotonicNow() >= stopAt) break;
  }
  return { deleted, isMore: true };
}
