import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';
import type { AuditEntry } from './model.ts';
import type { AuditStore } from './store.ts';

/** Refusals waiting to be written; beyond this they are counted and dropped, so that a flood cannot fill the memory. */
const MAX_WAITING = 1_000;
/** Small enough that one batch holds the event loop for a few milliseconds. */
const ROWS_PER_WRITE = 100;

export interface AuditRecorder {
  /** Writes the row with the act it tells of. */
  record(tx: Tx, entry: AuditEntry): void;
  /** The same for what one act does to many, at a fraction of the cost. */
  recordAll(tx: Tx, entries: readonly AuditEntry[]): void;
  /** Writes the row soon, in a batch, without holding the caller up: for refusals, which have no transaction. */
  note(entry: AuditEntry): void;
}

export interface AuditRecorderDeps {
  db: Db;
  store: AuditStore;
  log: Logger;
  dropped: Counter;
  /** Whether one more refusal may be written; absent: always. */
  mayNote?: (entry: AuditEntry) => boolean;
}

/** A recorder that writes what waits before it ends. */
export interface RunningAuditRecorder extends AuditRecorder, AsyncDisposable {}

export function auditRecorder({ db, store, log, dropped, mayNote }: AuditRecorderDeps): RunningAuditRecorder {
  /** Entries stay here until they are written: a database that is stuck does not make room for more. */
  const waiting: AuditEntry[] = [];
  let draining: Promise<void> | undefined;
  /** Rows lost since the last that was written: an outage is logged at its begin and its end, however many it takes. */
  let lost = 0;

  const lose = (error: unknown) => {
    const rows = waiting.splice(0).length;
    if (lost === 0) log.error('audit rows of refusals are being lost', { rows, error });
    lost += rows;
    dropped.inc(rows);
  };
  const kept = (rows: number) => {
    waiting.splice(0, rows);
    if (lost > 0) log.warn('audit rows of refusals are written again', { rows_lost: lost });
    lost = 0;
  };

  const writeSome = () =>
    db.write((tx) => {
      const batch = waiting.slice(0, ROWS_PER_WRITE);
      for (const entry of batch) store.insert(tx, entry);
      return batch.length;
    });

  const drain = async () => {
    try {
      while (waiting.length > 0) kept(await writeSome());
    } catch (error) {
      lose(error);
    }
    draining = undefined;
  };

  return {
    record: (tx, entry) => store.insert(tx, entry),
    recordAll: (tx, entries) => store.insertAll(tx, entries),
    note(entry) {
      if (waiting.length >= MAX_WAITING || mayNote?.(entry) === false) {
        dropped.inc();
        return;
      }
      waiting.push(entry);
      draining ??= drain();
    },
    async [Symbol.asyncDispose]() {
      await draining;
    },
  };
}
