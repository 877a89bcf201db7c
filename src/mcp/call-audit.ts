import type { AuditEntry } from '../audit/model.ts';
import type { AuditStore } from '../audit/store.ts';
import type { Db } from '../db/open.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';

export interface CallAuditDeps {
  db: Db;
  store: Pick<AuditStore, 'insertAll'>;
  clock: Clock;
  log: Logger;
  dropped: Counter;
}

/** Takes the audit rows of calls and writes them behind the calls' backs. Disposing writes what is left. */
export interface CallAudit extends AsyncDisposable {
  note(entry: AuditEntry): void;
}

/** Rows waiting at the most; beyond it they are counted and lost, so that a slow disk fills no memory and holds up no call. */
const MAX_WAITING = 20_000;
/** How long a row may wait for others, in milliseconds. */
const GATHER_MS = 1_000;
/** With so many waiting nobody waits for more. */
const ENOUGH = 2_000;
/** Small enough that one batch holds the event loop for a few milliseconds. */
const ROWS_PER_WRITE = 500;

export function callAudit({ db, store, clock, log, dropped }: CallAuditDeps): CallAudit {
  const waiting: AuditEntry[] = [];
  let timer: Timer | undefined;
  let writing: Promise<void> | undefined;

  /** What is there now, not what comes meanwhile: a batch for every few rows would cost a commit for every few calls. */
  const writeWaiting = async () => {
    try {
      for (let left = waiting.length; left > 0; ) {
        const batch = waiting.slice(0, Math.min(left, ROWS_PER_WRITE));
        await db.write((tx) => store.insertAll(tx, batch));
        waiting.splice(0, batch.length);
        left -= batch.length;
      }
    } catch (error) {
      const lost = waiting.splice(0).length;
      dropped.inc(lost);
      log.error('audit rows of MCP calls were lost', { rows: lost, error });
    }
    writing = undefined;
    if (waiting.length > 0) schedule();
  };
  const write = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    writing ??= writeWaiting();
  };
  const schedule = () => {
    if (writing !== undefined) return;
    if (waiting.length >= ENOUGH) write();
    else timer ??= clock.setTimer(GATHER_MS, write);
  };

  return {
    note(entry) {
      if (waiting.length >= MAX_WAITING) return dropped.inc();
      waiting.push(entry);
      schedule();
    },
    async [Symbol.asyncDispose]() {
      for (; waiting.length > 0; await writing) write();
      await writing;
    },
  };
}
