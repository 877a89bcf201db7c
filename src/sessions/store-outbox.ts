import { and, asc, gt, isNull, lte, or, type SQL, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { sessionOutbox } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { UserId } from '../users/model.ts';
import type { RevokeReason, SessionId, SessionSnapshot } from './model.ts';

/** "Everywhere", where the sessions that it ends could not be counted: one snapshot for each is owed. */
export interface Everywhere {
  readonly userId: UserId;
  /** Epoch milliseconds: what began until then is meant. */
  readonly before: number;
  /** This session and its descendants stay. */
  readonly except?: SessionId | undefined;
  readonly reason: RevokeReason;
}

/** What other processes are owed: a snapshot, or the snapshots of sessions that are found when it is told. */
export type OutboxMessage =
  | SessionSnapshot
  | { readonly everywhere: Everywhere }
  /** A person is another from now on, whom every session of theirs shows. */
  | { readonly person: UserId };

/** A committed message that somebody may not have been told of yet. */
export interface OutboxRow {
  readonly id: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly message: OutboxMessage;
}

/** Rows that somebody has left. */
export interface LeftRows {
  /** Epoch milliseconds. */
  readonly until: number;
  readonly upTo: number;
}

/** Each process looks every few seconds. */
export const PUBLISHED_KEPT_MS = 60_000;

const EVERY_ROW: LeftRows = { until: Number.MAX_SAFE_INTEGER, upTo: 0 };

export type OutboxStore = ReturnType<typeof outboxStore>;

export function outboxStore(db: Db) {
  const oldest = db.reader
    .select({ id: sessionOutbox.id, at: sessionOutbox.createdAtMs })
    .from(sessionOutbox)
    .where(isNull(sessionOutbox.publishedAtMs))
    .orderBy(asc(sessionOutbox.id))
    .limit(1)
    .prepare();

  const newestEver = db.reader
    .select({ id: sql<number>`seq` })
    .from(sql`sqlite_sequence`)
    .where(sql`name = 'session_outbox'`)
    .prepare();

  const rowsWhere = (which: SQL | undefined, limit: number): OutboxRow[] =>
    readOrOutage(() =>
      db.reader.select().from(sessionOutbox).where(which).orderBy(asc(sessionOutbox.id)).limit(limit).all(),
    ).map((row) => ({ id: row.id, at: row.createdAtMs, message: row.snapshot as OutboxMessage }));

  return {
    /** All in one statement: somebody may have thousands of devices, and their tunnels wait for this. */
    insert(tx: Tx, messages: readonly OutboxMessage[], at: number): number[] {
      const rows = JSON.stringify(messages);
      return tx
        .all<{ id: number }>(
          sql`INSERT INTO ${sessionOutbox} (snapshot, created_at_ms) SELECT value, ${at} FROM json_each(${rows}) RETURNING id`,
        )
        .map(({ id }) => id);
    },
    delete(tx: Tx, ids: readonly number[]): void {
      if (ids.length > 0) tx.delete(sessionOutbox).where(isOneOf(sessionOutbox.id, ids)).run();
    },
    /** Notes that these are out: whoever has not heard of them finds them here for a while. */
    markPublished(tx: Tx, ids: readonly number[], at: number): void {
      if (ids.length === 0) return;
      tx.update(sessionOutbox).set({ publishedAtMs: at }).where(isOneOf(sessionOutbox.id, ids)).run();
    },
    /** Those that wait and have an id above this one, oldest first; written until `until` (epoch milliseconds), or up to the id `upTo`. */
    after: (id: number, limit: number, { until, upTo }: LeftRows = EVERY_ROW): OutboxRow[] =>
      rowsWhere(
        and(
          gt(sessionOutbox.id, id),
          isNull(sessionOutbox.publishedAtMs),
          or(lte(sessionOutbox.createdAtMs, until), lte(sessionOutbox.id, upTo)),
        ),
        limit,
      ),
    /** The oldest with an id above this one, whether or not they are published. */
    committedAfter: (id: number, limit: number): OutboxRow[] => rowsWhere(gt(sessionOutbox.id, id), limit),
    /** Deletes at most `limit` of those that are published for a while; returns how many. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, sessionOutbox, sessionOutbox.publishedAtMs, now - PUBLISHED_KEPT_MS, limit),
    /** The oldest row that waits and when it was written, whoever wrote it. */
    oldest: (): { id: number; at: number } | undefined => readOrOutage(() => oldest.get()),
    /** The id of the newest row that was ever committed, whether or not it is still there. */
    newestEver: (): number => readOrOutage(() => newestEver.get())?.id ?? 0,
  };
}
