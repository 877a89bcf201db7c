import { and, asc, eq, getTableColumns, gt, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { endedSessionGroups, sessions, users } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { User } from '../users/model.ts';
import { toUser } from '../users/store-row.ts';
import type { Session, SessionId } from './model.ts';
import { fromSession } from './store-row.ts';

/** What the database says of a session that is kept elsewhere. */
export interface Standing {
  readonly user: User;
  /** Since when it is over, and why; `undefined`: it is not. */
  readonly ended: Ended | undefined;
}

type Ended = Pick<Session, 'revokedAt' | 'revokeReason'>;

/** The ids of some tombstones, and where the next page begins. */
export interface TombstonePage {
  readonly ids: readonly SessionId[];
  readonly last: number;
}

/** Sessions that ended together, by what they have in common. */
export interface EndedGroup {
  readonly name: string;
  /** Epoch milliseconds: what began until then is meant. */
  readonly at: number;
  /** When none of them can be left, epoch milliseconds. */
  readonly expiresAt: number;
}

type Kept = Pick<Session, 'id' | 'userId' | 'parentId' | 'createdAt' | 'audience' | 'origin'>;

/** What a row is written from: the names of its columns, and of the same in `fromSession`. */
const WRITTEN = Object.entries(getTableColumns(sessions)).filter(
  ([member]) => member !== 'rowKey' && member !== 'userKey',
);
const NAMES = WRITTEN.map(([, { name }]) => name);
const VALUES = WRITTEN.map(([member]) => `ended.value ->> '${member}'`);

export interface StandingStoreDeps {
  /** Whether the session came from a guest link: its parent is then the session of a device. */
  isGuest: (session: Pick<Session, 'audience'>) => boolean;
  /** What else a session may have ended with. */
  groupsOf: (session: Pick<Session, 'audience' | 'origin'>) => readonly string[];
}

export type StandingStore = ReturnType<typeof standingStore>;

/**
 * The part of browser sessions in Redis that stays in the database: who they belong to, and which were revoked. A revoked one
 * leaves its whole row there, its tombstone, until its absolute end; "everywhere" stands in the row of the person, and what
 * ended with a guest link or with a session at a provider in a row of its own. All are read at every look-up, so that no copy
 * of a session in Redis outlives what was committed.
 *
 * The statements of `db.reader` run in the open transaction, where there is one.
 */
export function standingStore(db: Db, { isGuest, groupsOf }: StandingStoreDeps) {
  const rowOf = db.reader
    .select({ at: sessions.revokedAtMs, reason: sessions.revokeReason, status: sessions.status })
    .from(sessions)
    .where(eq(sessions.id, sql.placeholder('id')))
    .prepare();
  const userOf = db.reader
    .select()
    .from(users)
    .where(eq(users.id, sql.placeholder('userId')))
    .prepare();

  const groupEndOf = db.reader
    .select({ at: endedSessionGroups.atMs })
    .from(endedSessionGroups)
    .where(eq(endedSessionGroups.name, sql.placeholder('name')))
    .prepare();

  const groupEnd = (session: Kept): Ended | undefined => {
    for (const name of groupsOf(session)) {
      const at = groupEndOf.get({ name })?.at;
      if (at !== undefined && session.createdAt <= at)
        return { revokedAt: at, revokeReason: isGuest(session) ? 'guest_link_ended' : 'provider_logout' };
    }
    return undefined;
  };
  const parentEnd = ({ parentId, createdAt, audience }: Kept): Ended | undefined => {
    const parent = rowOf.get({ id: parentId });
    if (parent?.status === 'revoked')
      return { revokedAt: parent.at ?? undefined, revokeReason: 'parent_ended' };
    // The device of a guest is in the database, or it is gone.
    const isLost = parent === undefined && isGuest({ audience });
    return isLost ? { revokedAt: createdAt, revokeReason: 'parent_ended' } : undefined;
  };

  return {
    /** `undefined`: the person is gone, and every session with them. */
    of(session: Kept): Standing | undefined {
      return readOrOutage(() => {
        const row = userOf.get({ userId: session.userId });
        if (row === undefined) return undefined;
        const own = rowOf.get({ id: session.id });
        const ended =
          own?.status === 'revoked'
            ? {
                revokedAt: own.at ?? undefined,
                revokeReason: (own.reason ?? undefined) as Session['revokeReason'],
              }
            : ((session.parentId === undefined ? undefined : parentEnd(session)) ??
              everywhereEnd(session, row) ??
              groupEnd(session));
        return { user: toUser(row), ended };
      });
    },

    /**
     * Leaves the row of each behind, where there is none and its person is there; returns those for which that was so. All in
     * one statement: somebody may have thousands, and whoever shares the commit waits for this.
     */
    bury(tx: Tx, ended: readonly Session[]): Session[] {
      if (ended.length === 0) return [];
      const rows = JSON.stringify(ended.map(fromSession));
      const buried = tx.all<{ id: string }>(sql`
        INSERT INTO ${sessions} (user_key, ${sql.raw(NAMES.join(', '))})
        SELECT person.row_key, ${sql.raw(VALUES.join(', '))}
        FROM json_each(${rows}) AS ended JOIN ${users} AS person ON person.id = ended.value ->> 'userId'
        WHERE true ON CONFLICT DO NOTHING RETURNING id`);
      const ids = new Set(buried.map(({ id }) => id));
      return ended.filter(({ id }) => ids.has(id));
    },

    /** Remembers that these are over, also those that no list has named; a later end of the same takes its place. */
    endGroup(tx: Tx, { name, at, expiresAt }: EndedGroup): void {
      const set = { atMs: at, expiresAtMs: expiresAt };
      tx.insert(endedSessionGroups)
        .values({ name, ...set })
        .onConflictDoUpdate({ target: endedSessionGroups.name, set })
        .run();
    },

    /** Tombstones of browser sessions that might still be somewhere, in the order of their rows. */
    tombstonesAfter(last: number, now: number, limit: number): TombstonePage | undefined {
      const rows = readOrOutage(() =>
        db.reader
          .select({ id: sessions.id, rowKey: sessions.rowKey })
          .from(sessions)
          .where(
            and(
              gt(sessions.rowKey, last),
              eq(sessions.kind, 'user'),
              eq(sessions.status, 'revoked'),
              sql`coalesce(${sessions.expiresAtMs}, ${Number.MAX_SAFE_INTEGER}) > ${now}`,
            ),
          )
          .orderBy(asc(sessions.rowKey))
          .limit(limit)
          .all(),
      );
      const end = rows.at(-1);
      return end && { ids: rows.map(({ id }) => id as SessionId), last: end.rowKey };
    },
  };
}

function everywhereEnd(
  { id, parentId, createdAt }: Kept,
  { endedBeforeMs, endedExceptId }: typeof users.$inferSelect,
): Ended | undefined {
  if (endedBeforeMs === null || createdAt > endedBeforeMs) return undefined;
  if (endedExceptId !== null && (endedExceptId === id || endedExceptId === parentId)) return undefined;
  return { revokedAt: endedBeforeMs, revokeReason: 'everywhere' };
}

/** Deletes at most `limit` ends of groups of which nothing can be left at `now`; returns how many. */
export const deleteExpiredGroups = (tx: Tx, now: number, limit: number): number =>
  deleteExpiredRows(tx, endedSessionGroups, endedSessionGroups.expiresAtMs, now, limit);
