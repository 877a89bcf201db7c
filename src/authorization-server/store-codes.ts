import { and, eq, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { oauthCodes } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';
import type { AuthorizationCode } from './model.ts';

export type CodeStore = ReturnType<typeof codeStore>;

/** Authorization codes in SQLite. Absence is `undefined`; only an outage throws. */
export function codeStore(db: Db) {
  const select = (source: Tx | Db['reader'], hash: TokenHash) => {
    const row = source.select().from(oauthCodes).where(eq(oauthCodes.hash, hash)).get();
    return row === undefined ? undefined : toCode(row);
  };

  return {
    find: (hash: TokenHash) => readOrOutage(() => select(db.reader, hash)),
    read: (tx: Tx, hash: TokenHash) => select(tx, hash),

    insert(tx: Tx, code: AuthorizationCode): void {
      const { expiresAt, redeemedAt, ...rest } = code;
      tx.insert(oauthCodes)
        .values({ ...rest, expiresAtMs: expiresAt, redeemedAtMs: redeemedAt })
        .run();
    },

    /** Ties a code to what it gave. `false`: it has given something already. */
    redeem(tx: Tx, hash: TokenHash, sessionId: SessionId, at: number): boolean {
      return (
        tx
          .update(oauthCodes)
          .set({ redeemedAtMs: at, sessionId })
          .where(and(eq(oauthCodes.hash, hash), isNull(oauthCodes.redeemedAtMs)))
          .returning({ hash: oauthCodes.hash })
          .get() !== undefined
      );
    },

    /** Where the clients of a person's grants redirect to, by session. */
    redirectUris(userId: UserId): ReadonlyMap<SessionId, string> {
      const rows = readOrOutage(() =>
        db.reader
          .select({ sessionId: oauthCodes.sessionId, redirectUri: oauthCodes.redirectUri })
          .from(oauthCodes)
          .where(and(eq(oauthCodes.userId, userId), isNotNull(oauthCodes.sessionId)))
          .all(),
      );
      return new Map(rows.map(({ sessionId, redirectUri }) => [sessionId as SessionId, redirectUri]));
    },

    /** Voids the codes that these sessions consented to and nobody has redeemed. */
    voidOf(tx: Tx, sessions: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(sessions)}))`;
      tx.delete(oauthCodes)
        .where(sql`${oauthCodes.issuedBy} IN ${ids} AND ${oauthCodes.sessionId} IS NULL`)
        .run();
    },

    /** Deletes at most `limit` codes that nobody redeemed in time. */
    deleteExpired(tx: Tx, now: number, limit: number): number {
      const over = tx
        .select({ hash: oauthCodes.hash })
        .from(oauthCodes)
        .where(sql`${oauthCodes.expiresAtMs} <= ${now} AND ${oauthCodes.sessionId} IS NULL`)
        .limit(limit);
      return tx
        .delete(oauthCodes)
        .where(inArray(oauthCodes.hash, over))
        .returning({ hash: oauthCodes.hash })
        .all().length;
    },
  };
}

function toCode({ expiresAtMs, redeemedAtMs, ...row }: typeof oauthCodes.$inferSelect): AuthorizationCode {
  return {
    ...row,
    hash: row.hash as TokenHash,
    userId: row.userId as UserId,
    issuedBy: (row.issuedBy ?? undefined) as SessionId | undefined,
    sessionId: (row.sessionId ?? undefined) as SessionId | undefined,
    expiresAt: expiresAtMs,
    redeemedAt: redeemedAtMs ?? undefined,
  };
}
