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
  /** What was read for it outside of the database, and in how many rounds. */
  readonly known: Map<string, unknown>;
  rounds: number;
}

/** What one run of a job has asked for. */
interface Pass {
  readonly known: ReadonlyMap<string, unknown>;
  readonly afterCommit: (() => void)[];
  readonly completions: (() => Promise<void>)[];
  readonly missing: Map<string, () => Promise<unknown>>;
}

type JobOutcome = { value: unknown; pass: Pass } | { error: unknown } | { missing: Pass['missing'] };

/** Ends a run of a job that has to know something first. */
class ReadFirst extends Error {
  constructor() {
    super('something has to be read first: what catches this must let it pass');
  }
}

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
/** A job that never knows enough is a mistake: it asks for something else in every run. */
const MAX_ROUNDS = 64;

const passOf = new WeakMap<Tx, Pass>();

/** Calls `run` once `tx` has been committed, before the promise of its `write` resolves; never when it is rolled back. */
export function afterCommit(tx: Tx, run: () => void): void {
  currentPass(tx, 'afterCommit').afterCommit.push(run);
}

/**
 * An act elsewhere that belongs to the write: begun once `tx` is committed, before what `afterCommit` was given.
 * `write` resolves after it, and rejects with its error: the transaction stands all the same.
 */
export function completeAfterCommit(tx: Tx, run: () => Promise<void>): void {
  currentPass(tx, 'completeAfterCommit').completions.push(run);
}

/**
 * What a job has to know from outside of the database. The first call for a key rolls the job back, waits for `read`, and
 * runs the job again with what it gave: such a job must be repeatable, and touch nothing but its `tx`.
 * A `read` that rejects rejects the write, and nothing of it is in the database.
 *
 * With `meanwhile` the run goes on with that value, so that a job which has to know many things asks for them together;
 * whatever comes of that run is rolled back.
 */
export function readBefore<T>(tx: Tx, key: string, read: () => Promise<T>, meanwhile?: { value: T }): T {
  const pass = currentPass(tx, 'readBefore');
  if (pass.known.has(key)) return pass.known.get(key) as T;
  pass.missing.set(key, read);
  if (meanwhile === undefined) throw new ReadFirst();
  return meanwhile.value;
}

function currentPass(tx: Tx, name: string): Pass {
  const pass = passOf.get(tx);
  if (pass === undefined) throw new Error(`${name} belongs inside the callback of db.write`);
  return pass;
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
  /** Reads that jobs wait for, and acts that complete what is committed. */
  const elsewhere = new Set<Promise<void>>();

  const schedule = () => {
    scheduled ??= nextTurn().then(drain);
  };
  const isAtWork = () => scheduled !== undefined || elsewhere.size > 0;
  const keepUntilDone = (work: Promise<void>) => {
    elsewhere.add(work);
    void work.then(() => elsewhere.delete(work));
  };

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
    jobs.forEach((job, index) => {
      const outcome = outcomes[index];
      if (outcome !== undefined) settle(job, outcome);
    });
  };

  const settle = (job: Job, outcome: JobOutcome) => {
    if ('error' in outcome) job.reject(outcome.error);
    else if ('missing' in outcome) keepUntilDone(runAgain(job, outcome.missing));
    else answer(job, outcome.value, outcome.pass);
  };

  const runAgain = async (job: Job, missing: Pass['missing']) => {
    try {
      if (++job.rounds > MAX_ROUNDS)
        throw new Error(`a write always asks for more: ${[...missing.keys()].join(', ')}`);
      const reads = [...missing].map(async ([key, read]) => [key, await read()] as const);
      for (const [key, value] of await Promise.all(reads)) job.known.set(key, value);
    } catch (error) {
      job.reject(error);
      return;
    }
    waiting.push(job);
    schedule();
  };

  const answer = (job: Job, value: unknown, { completions, afterCommit }: Pass) => {
    const begun = completions.map(async (complete) => complete());
    for (const hook of afterCommit) {
      try {
        hook();
      } catch (error) {
        onHookError(error);
      }
    }
    if (begun.length === 0) job.resolve(value as never);
    else keepUntilDone(answerAfter(begun, job, value));
  };

  return {
    write<T>(run: (tx: Tx) => T): Promise<T> {
      if (closed) return Promise.reject(shuttingDown());
      return new Promise<T>((resolve, reject) => {
        waiting.push({ run, resolve, reject, known: new Map(), rounds: 0 });
        schedule();
      });
    },
    /** Refuses new jobs and waits for those that were accepted. */
    async close(): Promise<void> {
      closed = true;
      while (isAtWork()) await Promise.all([scheduled, ...elsewhere]);
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
  const pass: Pass = { known: job.known, afterCommit: [], completions: [], missing: new Map() };
  let failure: { readonly error: unknown } | undefined;
  try {
    const value = outer.transaction((tx) => {
      passOf.set(tx, pass);
      try {
        return runOnce(job, tx, pass);
      } catch (error) {
        failure = { error };
        throw error;
      } finally {
        passOf.delete(tx);
      }
    });
    return { value, pass };
  } catch (error) {
    const cause = failure === undefined ? error : failure.error;
    // Disk full, I/O errors and the like may end the whole transaction, not only the savepoint.
    if (!database.$client.inTransaction || cause !== error) throw cause;
    return pass.missing.size > 0 ? { missing: pass.missing } : { error: classifyDatabaseError(cause) };
  }
}

function runOnce(job: Job, tx: Tx, pass: Pass): unknown {
  const result = job.run(tx);
  if (result instanceof Promise) throw new TypeError('a write callback must be synchronous');
  // It went on without knowing: nothing of that may stand.
  if (pass.missing.size > 0) throw new ReadFirst();
  return result;
}

/** Rows changed since the connection was opened (https://www.sqlite.org/lang_corefunc.html#total_changes). */
function totalChanges(database: DrizzleDatabase): unknown {
  return database.$client.query('SELECT total_changes()').values()[0]?.[0];
}

/** Waits for all of them, also where one fails: nothing of a write goes on once it is answered. */
async function answerAfter(begun: readonly Promise<void>[], job: Job, value: unknown): Promise<void> {
  const failed = (await Promise.allSettled(begun)).find((each) => each.status === 'rejected');
  if (failed === undefined) job.resolve(value as never);
  else job.reject(failed.reason);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function shuttingDown(): AppError {
  return new AppError('unavailable', 'shutting_down', 'The appliance is shutting down.', {
    retryAfterSeconds: 5,
  });
}
