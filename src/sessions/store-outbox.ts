import { asc, inArray } from 'drizzle-orm';
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
    insert(tx: Tx, snapshots: readonly SessionSnapshot[], at: number): number[] {
      if (snapshots.length === 0) return [];
      const rows = snapshots.map((snapshot) => ({ snapshot, createdAtMs: at }));
      return tx
        .insert(sessionOutbox)
        .values(rows)
        .returning({ id: sessionOutbox.id })
        .all()
        .map(({ id }) => id);
    },
    delete(tx: Tx, ids: readonly number[]): void {
      if (ids.length > 0)
        tx.delete(sessionOutbox)
          .where(inArray(sessionOutbox.id, [...ids]))
          .run();
    },
    /** The oldest rows that are still there. */
    oldest(limit: number): OutboxRow[] {
      return db.reader
        .select()
        .from(sessionOutbox)
        .orderBy(asc(sessionOutbox.id))
        .limit(limit)
        .all()
        .map(({ id, snapshot }) => ({ id, snapshot: snapshot as SessionSnapshot }));
    },
  };
}
