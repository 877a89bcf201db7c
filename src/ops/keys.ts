import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';

/** One kind of row that holds something sealed. */
export interface ResealTask {
  name: string;
  /** Seals every row anew with the current key; returns how many changed. */
  reseal: (tx: Tx) => number;
}

export interface KeysDeps {
  db: Db;
  clock: Clock;
  audit: AuditRecorder;
  /** Makes a new secret current. @throws CommandError, and nothing has changed then. */
  changeSecret: () => void;
  tasks: readonly ResealTask[];
}

/** Rows sealed anew, by kind. */
export type ResealReport = Record<string, number>;

/** What the secret of the appliance is put to when it changes. */
export function keys({ db, clock, audit, changeSecret, tasks }: KeysDeps) {
  /** All in one transaction: afterwards nothing needs the secret before it. */
  const reseal = (): Promise<ResealReport> =>
    db.write((tx) => Object.fromEntries(tasks.map((task) => [task.name, task.reseal(tx)])));

  return {
    reseal,
    /**
     * Makes a new secret and seals everything anew. One that dies in between leaves rows that the secret before it opens,
     * which is kept; the next time seals them.
     */
    async rotate(): Promise<ResealReport> {
      changeSecret();
      await db.write((tx) =>
        audit.record(tx, { at: clock.now(), action: 'keys.rotated', outcome: 'success' }),
      );
      return reseal();
    },
  };
}

export type Keys = ReturnType<typeof keys>;
