import { eq, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { oauthRequests } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { AuthorizationRequest } from './model.ts';

/** A request that was consented to and waits for an account to be linked. */
export interface WaitingRequest {
  readonly hash: TokenHash;
  /** The browser session that consented. */
  readonly sessionId: SessionId;
  readonly request: AuthorizationRequest;
  readonly expiresAt: number;
}

export type RequestStore = ReturnType<typeof requestStore>;

/** Consented requests in SQLite. */
export function requestStore() {
  return {
    insert(tx: Tx, { expiresAt, ...waiting }: WaitingRequest): void {
      tx.insert(oauthRequests)
        .values({ ...waiting, expiresAtMs: expiresAt })
        .run();
    },

    /** Takes the request out, for the session that consented alone: in another browser nothing is used up. */
    consume(tx: Tx, hash: TokenHash, sessionId: SessionId): WaitingRequest | undefined {
      const row = tx
        .delete(oauthRequests)
        .where(sql`${eq(oauthRequests.hash, hash)} AND ${eq(oauthRequests.sessionId, sessionId)}`)
        .returning()
        .get();
      if (row === undefined) return undefined;
      return { hash, sessionId, request: row.request as AuthorizationRequest, expiresAt: row.expiresAtMs };
    },

    voidOf(tx: Tx, sessions: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(sessions)}))`;
      tx.delete(oauthRequests).where(sql`${oauthRequests.sessionId} IN ${ids}`).run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, oauthRequests, oauthRequests.expiresAtMs, now, limit),
  };
}
