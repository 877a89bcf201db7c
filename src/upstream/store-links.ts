import { and, eq, inArray, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { upstreamLinks } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';
import type { UpstreamLink, UpstreamLinkId } from './model.ts';

/** Links one person may have under way; the oldest make room. */
const MAX_PER_PERSON = 20;

export type UpstreamLinkStore = ReturnType<typeof upstreamLinkStore>;

/** Links that have begun; of what binds them to a browser only a hash is kept. */
export function upstreamLinkStore() {
  const makeRoom = (tx: Tx, userId: UserId) => {
    const newest = tx
      .select({ id: upstreamLinks.id })
      .from(upstreamLinks)
      .where(eq(upstreamLinks.userId, userId))
      .orderBy(sql`${upstreamLinks.expiresAtMs} DESC, ${upstreamLinks.id} DESC`)
      .limit(Number.MAX_SAFE_INTEGER)
      .offset(MAX_PER_PERSON - 1);
    tx.delete(upstreamLinks).where(inArray(upstreamLinks.id, newest)).run();
  };

  return {
    insert(tx: Tx, { expiresAt, ...columns }: UpstreamLink, browserHash: string): void {
      makeRoom(tx, columns.userId);
      tx.insert(upstreamLinks)
        .values({ ...columns, browserHash, expiresAtMs: expiresAt })
        .run();
    },

    /** Uses a link up; `undefined` unless this browser and this session began it and nobody has used it. It may have expired. */
    consume(tx: Tx, id: string, browserHash: string, sessionId: SessionId): UpstreamLink | undefined {
      const row = tx
        .delete(upstreamLinks)
        .where(
          and(
            eq(upstreamLinks.id, id),
            eq(upstreamLinks.browserHash, browserHash),
            eq(upstreamLinks.sessionId, sessionId),
          ),
        )
        .returning()
        .get();
      return row === undefined ? undefined : toLink(row);
    },

    /** Voids what these sessions began. One variable however many there are. */
    deleteOfSessions(tx: Tx, sessionIds: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(sessionIds)}))`;
      tx.delete(upstreamLinks).where(sql`${upstreamLinks.sessionId} IN ${ids}`).run();
    },

    /** Voids what a person has under way at one provider. */
    deleteOfUser(tx: Tx, userId: UserId, provider: string): void {
      tx.delete(upstreamLinks)
        .where(and(eq(upstreamLinks.userId, userId), eq(upstreamLinks.provider, provider)))
        .run();
    },

    /** Deletes at most `limit` links that ran out by `now`; returns how many. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, upstreamLinks, upstreamLinks.expiresAtMs, now, limit),
  };
}

function toLink(row: typeof upstreamLinks.$inferSelect): UpstreamLink {
  return {
    id: row.id as UpstreamLinkId,
    provider: row.provider,
    userId: row.userId as UserId,
    sessionId: row.sessionId as SessionId,
    returnTo: row.returnTo,
    expiresAt: row.expiresAtMs,
  };
}
