import { and, asc, eq, gt, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { applianceState, credentials, sessions, users } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Session, SessionId, TokenHash } from './model.ts';
import { fromSession, toSession } from './store-row.ts';
import type { HeldSession } from './store-values-redis.ts';

/** A piece of a list. */
export interface MovingPage {
  readonly sessions: readonly HeldSession[];
  /** Where the next page begins; absent at the end. */
  readonly last: number | undefined;
}

interface PageQuery {
  /** Sessions that hang on another one, or those that do not. */
  children: boolean;
  /** `last` of the page before; 0 for the first. */
  after: number;
  /** Epoch milliseconds. */
  now: number;
  limit: number;
}

/** Browser sessions in the database that nobody ended: what leaves it when they go to Redis, and what comes back. */
export function movingStore() {
  return {
    /** Those that have not run out, in the order of their rows. */
    list(reader: Db['reader'], { children, after, now, limit }: PageQuery): MovingPage {
      const rows = reader
        .select({
          session: sessions,
          hash: credentials.hash,
          endedBeforeMs: users.endedBeforeMs,
          endedExceptId: users.endedExceptId,
        })
        .from(sessions)
        .innerJoin(users, eq(users.rowKey, sessions.userKey))
        .innerJoin(credentials, eq(credentials.sessionKey, sessions.rowKey))
        .where(
          and(
            isLiveBrowserSession(now),
            children ? isNotNull(sessions.parentId) : isNull(sessions.parentId),
            gt(sessions.rowKey, after),
          ),
        )
        .orderBy(asc(sessions.rowKey))
        .limit(limit)
        .all();
      return {
        sessions: rows.map(({ session, hash, ...everywhere }) => ({
          session: begunAfter(toSession(session), everywhere),
          hash: hash as TokenHash,
        })),
        last: rows.at(-1)?.session.rowKey,
      };
    },

    /** How many there are that have not run out. */
    count: (reader: Db['reader'], now: number): number =>
      reader.select({ count: sql<number>`count(*)` }).from(sessions).where(isLiveBrowserSession(now)).get()
        ?.count ?? 0,

    /** Takes one in; one that is here already keeps the later of both last uses. Its person has to be there. */
    take(tx: Tx, { session, hash }: HeldSession): void {
      const userKey = sql`(SELECT ${users.rowKey} FROM ${users} WHERE ${users.id} = ${session.userId})`;
      const inserted = tx
        .insert(sessions)
        .values({ ...fromSession(session), userKey })
        .onConflictDoNothing({ target: sessions.id })
        .returning({ sessionKey: sessions.rowKey })
        .get();
      if (inserted !== undefined) {
        tx.insert(credentials)
          .values({ hash, use: 'cookie', ...inserted })
          .run();
        return;
      }
      const lastSeenAtMs = sql`max(${sessions.lastSeenAtMs}, ${session.lastSeenAt})`;
      tx.update(sessions).set({ lastSeenAtMs }).where(eq(sessions.id, session.id)).run();
    },

    /** Deletes rows of browser sessions that live elsewhere now; what was revoked stays, to be known by. */
    drop(tx: Tx, ids: readonly SessionId[]): void {
      tx.delete(sessions)
        .where(and(isOneOf(sessions.id, ids), eq(sessions.kind, 'user'), eq(sessions.status, 'active')))
        .run();
    },

    /** Whether a server has run that kept browser sessions in Redis, and nothing has settled since what became of them. */
    wereInRedis: (reader: Db['reader']): boolean =>
      reader.select().from(applianceState).where(isRedisMark).get() !== undefined,

    markInRedis(tx: Tx): void {
      tx.insert(applianceState).values({ key: 'browser_sessions_in_redis' }).onConflictDoNothing().run();
    },

    clearInRedis(tx: Tx): void {
      tx.delete(applianceState).where(isRedisMark).run();
    },
  };
}

/**
 * Here an "everywhere" has ended rows; of what is in Redis it says when. One that stands here and began in the millisecond
 * of the last one, after it, must not be taken for one that ended with it.
 */
function begunAfter(
  session: Session,
  { endedBeforeMs, endedExceptId }: Pick<typeof users.$inferSelect, 'endedBeforeMs' | 'endedExceptId'>,
): Session {
  const { id, parentId, createdAt } = session;
  const outlivesIt = endedExceptId !== null && (endedExceptId === id || endedExceptId === parentId);
  if (outlivesIt || createdAt > (endedBeforeMs ?? -1)) return session;
  return { ...session, createdAt: (endedBeforeMs ?? -1) + 1 };
}

const isRedisMark = eq(applianceState.key, 'browser_sessions_in_redis');

function isLiveBrowserSession(now: number): SQL | undefined {
  const end = sql`min(
    coalesce(${sessions.expiresAtMs}, ${Number.MAX_SAFE_INTEGER}),
    coalesce(${sessions.lastSeenAtMs} + ${sessions.idleTimeoutMs}, ${Number.MAX_SAFE_INTEGER}))`;
  return and(eq(sessions.kind, 'user'), eq(sessions.status, 'active'), sql`${end} > ${now}`);
}
