import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';
import type { AuditEntry } from './model.ts';
import type { AuditStore } from './store.ts';

/** Refusals waiting to be written; beyond this they are counted and dropped, so that a flood cannot fill the memory. */
const MAX_WAITING = 1_000;

export interface AuditRecorder {
  /** Writes the row with the act it tells of. */
  record(tx: Tx, entry: AuditEntry): void;
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

export function auditRecorder({ db, store, log, dropped, mayNote }: AuditRecorderDeps): AuditRecorder {
  let waiting: AuditEntry[] = [];

  const flush = () => {
    const batch = waiting;
    waiting = [];
    db.write((tx) => {
      for (const entry of batch) store.insert(tx, entry);
    }).catch((error: unknown) => {
      dropped.inc(batch.length);
      log.error('audit rows of refusals were lost', { rows: batch.length, error });
    });
  };

  return {
    record: (tx, entry) => store.insert(tx, entry),
    note(entry) {
      if (waiting.length >= MAX_WAITING || mayNote?.(entry) === false) {
        dropped.inc();
        return;
      }
      if (waiting.push(entry) === 1) setImmediate(flush);
    },
  };
}
