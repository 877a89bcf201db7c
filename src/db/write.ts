import { AppError } from '../lib/app-error.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { classifyDatabaseError, isBusy } from './errors.ts';
import type { DrizzleDatabase } from './open.ts';

/** A savepoint inside the transaction that a turn's jobs share. Good only while the callback runs. */
export type Tx = Parameters<Parameters<DrizzleDatabase['transaction']>[0]>[0];

interface Job {
  run: (tx: Tx) => unknown;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

type JobOutcome = { value: unknown; afterCommit: readonly (() => void)[] } | { error: unknown };

export interface GroupCommitOptions {
  database: DrizzleDatabase;
  clock: Clock;
  /** Runs once in every transaction whose jobs changed anything: one that changes nothing writes nothing. */
  beforeCommit: (tx: Tx) => void;
  /** Told of an `afterCommit` that threw: what it belongs to is committed, so neither its caller nor others may hear of it. */
  onHookError: (error: unknown) => void;
  /** How long another process may hold the write lock before the jobs are refused. */
  busyTimeoutMs: number;
}

/** Bounds how long one commit holds the event loop. */
const MAX_JOBS_PER_COMMIT = 500;
const BUSY_RETRY_MS = 5;

const hooksOf = new WeakMap<Tx, (() => void)[]>();

/** Calls `run` once `tx` has been committed, before the promise of its `write` resolves; never when it is rolled back. */
export function afterCommit(tx: Tx, run: () => void): void {
  const hooks = hooksOf.get(tx);
  if (hooks === undefined) throw new Error('afterCommit belongs inside the callback of db.write');
  hooks.push(run);
}

/**
 * Group commit: the jobs of one turn of the event loop share one `BEGIN IMMEDIATE … COMMIT`, each in a savepoint of its
 * own, so that a job that throws is rolled back alone. A job's promise settles after the COMMIT.
 */
export function groupCommit(options: GroupCommitOptions) {
  const { database, clock, beforeCommit, onHookError, busyTimeoutMs } = options;
  let waiting: Job[] = [];
  let scheduled: Promise<void> | undefined;
  let closed = false;

  /** Ends in the same step in which it finds nothing waiting: a job that comes later schedules a round of its own. */
  const drain = async () => {
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, MAX_JOBS_PER_COMMIT);
      await commit(jobs);
      if (waiting.length > 0) await nextTurn();
    }
    scheduled = undefined;
  };

  const commit = async (jobs: readonly Job[]) => {
    const giveUpAt = clock.monotonicNow() + busyTimeoutMs;
    let outcomes: readonly JobOutcome[];
    for (;;) {
      try {
        outcomes = runInOneTransaction(database, jobs, beforeCommit);
        break;
      } catch (error) {
        if (isBusy(error) && clock.monotonicNow() < giveUpAt) {
          await sleep(clock, BUSY_RETRY_MS);
          continue;
        }
        const outage = classifyDatabaseError(error);
        for (const job of jobs) job.reject(outage);
        return;
      }
    }
    settle(jobs, outcomes, onHookError);
  };

  return {
    write<T>(run: (tx: Tx) => T): Promise<T> {
      if (closed) return Promise.reject(shuttingDown());
      return new Promise<T>((resolve, reject) => {
        waiting.push({ run, resolve, reject });
        scheduled ??= nextTurn().then(drain);
      });
    },
    /** Refuses new jobs and waits for those that were accepted. */
    async close(): Promise<void> {
      closed = true;
      await scheduled;
      waiting = [];
    },
  };
}

/** Throws only when the transaction as a whole failed: then nothing of it is in the database. */
function runInOneTransaction(
  database: DrizzleDatabase,
  jobs: readonly Job[],
  beforeCommit: (tx: Tx) => void,
): JobOutcome[] {
  return database.transaction(
    (outer) => {
      const changes = totalChanges(database);
      const outcomes = jobs.map((job) => runInSavepoint(database, outer, job));
      if (totalChanges(database) !== changes) beforeCommit(outer);
      return outcomes;
    },
    { behavior: 'immediate' },
  );
}

function runInSavepoint(database: DrizzleDatabase, outer: Tx, job: Job): JobOutcome {
  const hooks: (() => void)[] = [];
  let failure: { readonly error: unknown } | undefined;
  try {
    const value = outer.transaction((tx) => {
      hooksOf.set(tx, hooks);
      try {
        const result = job.run(tx);
        if (result instanceof Promise) throw new TypeError('a write callback must be synchronous');
        return result;
      } catch (error) {
        failure = { error };
        throw error;
      } finally {
        hooksOf.delete(tx);
      }
    });
    return { value, afterCommit: hooks };
  } catch (error) {
    const cause = failure === undefined ? error : failure.error;
    // Disk full, I/O errors and the like may end the whole transaction, not only the savepoint.
    if (!database.$client.inTransaction || cause !== error) throw cause;
    return { error: classifyDatabaseError(cause) };
  }
}

/** Rows changed since the connection was opened (https://www.sqlite.org/lang_corefunc.html#total_changes). */
function totalChanges(database: DrizzleDatabase): unknown {
  return database.$client.query('SELECT total_changes()').values()[0]?.[0];
}

function settle(
  jobs: readonly Job[],
  outcomes: readonly JobOutcome[],
  onHookError: (error: unknown) => void,
): void {
  jobs.forEach((job, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) return;
    if ('error' in outcome) {
      job.reject(outcome.error);
      return;
    }
    for (const hook of outcome.afterCommit) {
      try {
        hook();
      } catch (error) {
        onHookError(error);
      }
    }
    job.resolve(outcome.value as never);
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function shuttingDown(): AppError {
  return new AppError('unavailable', 'shutting_down', 'The appliance is shutting down.', {
    retryAfterSeconds: 5,
  });
}
