import { and, asc, eq, gt, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { applianceState, credentials, sessions, users } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Credential, Session, SessionId, TokenHash } from './model.ts';
import { fromCredential, fromSession, toSession } from './store-row.ts';

/** A browser session on its way from one store to another, with all that it takes to be recognised there. */
export interface MovingSession {
  readonly session: Session;
  readonly credentials: readonly Credential[];
  /** It was let live by an "everywhere" of its person, the newest of which was at this instant (epoch milliseconds). */
  readonly outlived: number | undefined;
}

/** What became of one: `ended` means that it is over by what the other store knows. */
export type Arrival = 'moved' | 'ended';

/** Where a list goes on; absent at its beginning. */
export interface MovingPage {
  readonly sessions: readonly MovingSession[];
  /** The last of them, for the next page. */
  readonly last: number | undefined;
}

export type MovingStore = ReturnType<typeof movingStore>;

/** Browser sessions in the database that nobody ended: what leaves it when they go to Redis, and what comes back. */
export function movingStore() {
  return {
    /** Some that have not run out, in the order in which they began; `children`: those that hang on another session, or those that do not. */
    list(
      reader: Db['reader'],
      { children, after, now, limit }: { children: boolean; after: number; now: number; limit: number },
    ): MovingPage {
      const rows = reader
        .select({ session: sessions, endedBeforeMs: users.endedBeforeMs })
        .from(sessions)
        .innerJoin(users, eq(users.rowKey, sessions.userKey))
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
      const known = credentialsOf(
        reader,
        rows.map(({ session }) => session.rowKey),
      );
      return {
        sessions: rows.map(({ session, endedBeforeMs }) => ({
          session: toSession(session),
          credentials: (known.get(session.rowKey) ?? []).map((row) => toCredential(row, session.id)),
          outlived:
            endedBeforeMs !== null && session.createdAtMs <= endedBeforeMs ? endedBeforeMs : undefined,
        })),
        last: rows.at(-1)?.session.rowKey,
      };
    },

    /** How many there are that have not run out. */
    count: (reader: Db['reader'], now: number): number =>
      reader.select({ count: sql<number>`count(*)` }).from(sessions).where(isLiveBrowserSession(now)).get()
        ?.count ?? 0,

    /** Takes one in, unless it has ended here; one that is here already keeps the later of both last uses. */
    take(tx: Tx, { session, credentials: brought, outlived }: MovingSession): Arrival {
      const status = statusOf(tx, session.id);
      const owner = tx.select().from(users).where(eq(users.id, session.userId)).get();
      const isOver =
        status === 'revoked' ||
        owner === undefined ||
        endedWithAll(session, owner.endedBeforeMs, outlived) ||
        (session.parentId !== undefined && statusOf(tx, session.parentId) === 'revoked');
      if (isOver) return 'ended';
      if (status === 'active') {
        const lastSeenAtMs = sql`max(${sessions.lastSeenAtMs}, ${session.lastSeenAt})`;
        tx.update(sessions).set({ lastSeenAtMs }).where(eq(sessions.id, session.id)).run();
        return 'moved';
      }
      const { sessionKey } = tx
        .insert(sessions)
        .values({ ...fromSession(session), userKey: owner.rowKey })
        .returning({ sessionKey: sessions.rowKey })
        .get();
      for (const credential of brought) {
        tx.insert(credentials)
          .values({ ...fromCredential(credential), sessionKey })
          .run();
      }
      return 'moved';
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

const isRedisMark = eq(applianceState.key, 'browser_sessions_in_redis');

function isLiveBrowserSession(now: number): SQL | undefined {
  const end = sql`min(
    coalesce(${sessions.expiresAtMs}, ${Number.MAX_SAFE_INTEGER}),
    coalesce(${sessions.lastSeenAtMs} + ${sessions.idleTimeoutMs}, ${Number.MAX_SAFE_INTEGER}))`;
  return and(eq(sessions.kind, 'user'), eq(sessions.status, 'active'), sql`${end} > ${now}`);
}

function statusOf(tx: Tx, id: SessionId): Session['status'] | undefined {
  return tx.select({ status: sessions.status }).from(sessions).where(eq(sessions.id, id)).get()?.status;
}

/** Whether it ended with everything of its person: it began before that, and was not let live. */
function endedWithAll(
  { createdAt }: Session,
  endedBeforeMs: number | null,
  outlived: number | undefined,
): boolean {
  return endedBeforeMs !== null && createdAt <= endedBeforeMs && (outlived ?? -Infinity) < endedBeforeMs;
}

type CredentialRow = typeof credentials.$inferSelect;

function credentialsOf(
  reader: Db['reader'],
  sessionKeys: readonly number[],
): ReadonlyMap<number, CredentialRow[]> {
  const rows = reader
    .select()
    .from(credentials)
    .where(inArray(credentials.sessionKey, [...sessionKeys]))
    .all();
  return Map.groupBy(rows, ({ sessionKey }) => sessionKey);
}

function toCredential(
  { hash, use, expiresAtMs, supersededAtMs }: CredentialRow,
  sessionId: string,
): Credential {
  return {
    hash: hash as TokenHash,
    sessionId: sessionId as SessionId,
    use,
    expiresAt: expiresAtMs ?? undefined,
    supersededAt: supersededAtMs ?? undefined,
  };
}
