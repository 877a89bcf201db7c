import { asc, gt, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { sessionOutbox } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionSnapshot } from './model.ts';

/** A committed snapshot that nobody may have been told of yet. */
export interface OutboxRow {
  id: number;
  snapshot: SessionSnapshot;
}

export type OutboxStore = ReturnType<typeof outboxStore>;

export function outboxStore(db: Db) {
  return {
    /** All in one statement: somebody may have thousands of devices, and their tunnels wait for this. */
    insert(tx: Tx, snapshots: readonly SessionSnapshot[], at: number): number[] {
      const rows = JSON.stringify(snapshots);
      return tx
        .all<{ id: number }>(
          sql`INSERT INTO ${sessionOutbox} (snapshot, created_at_ms) SELECT value, ${at} FROM json_each(${rows}) RETURNING id`,
        )
        .map(({ id }) => id);
    },
    delete(tx: Tx, ids: readonly number[]): void {
      if (ids.length > 0) tx.delete(sessionOutbox).where(isOneOf(sessionOutbox.id, ids)).run();
    },
    /** The oldest rows with an id above this one. */
    after(id: number, limit: number): OutboxRow[] {
      return readOrOutage(() =>
        db.reader
          .select()
          .from(sessionOutbox)
          .where(gt(sessionOutbox.id, id))
          .orderBy(asc(sessionOutbox.id))
          .limit(limit)
          .all(),
      ).map((row) => ({ id: row.id, snapshot: row.snapshot as SessionSnapshot }));
    },
  };
}
