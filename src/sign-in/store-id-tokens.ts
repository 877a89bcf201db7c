import { eq, sql } from 'drizzle-orm';
import { sessionIdTokens } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from '../sessions/model.ts';

export type IdTokenStore = ReturnType<typeof idTokenStore>;

/** The sealed ID token of a browser session, kept until the session's absolute end at the latest. */
export function idTokenStore() {
  return {
    insert(tx: Tx, sessionId: SessionId, sealed: string, expiresAtMs: number): void {
      tx.insert(sessionIdTokens).values({ sessionId, sealed, expiresAtMs }).run();
    },

    /** Removes and returns it: it is handed to the provider once. */
    take(tx: Tx, sessionId: SessionId): string | undefined {
      const row = tx
        .delete(sessionIdTokens)
        .where(eq(sessionIdTokens.sessionId, sessionId))
        .returning()
        .get();
      return row?.sealed;
    },

    /** Deletes at most `limit` of sessions that are over; returns how many. */
    deleteExpired(tx: Tx, now: number, limit: number): number {
      return tx
        .delete(sessionIdTokens)
        .where(
          sql`${sessionIdTokens.sessionId} IN (
            SELECT session_id FROM session_id_tokens WHERE expires_at_ms <= ${now} ORDER BY expires_at_ms LIMIT ${limit})`,
        )
        .returning({ sessionId: sessionIdTokens.sessionId })
        .all().length;
    },

    /** Seals anew what is sealed; `reseal` gives `undefined` for what stays. Returns how many rows changed. */
    resealAll(tx: Tx, reseal: (sessionId: SessionId, sealed: string) => string | undefined): number {
      let changed = 0;
      for (const { sessionId, sealed } of tx.select().from(sessionIdTokens).all()) {
        const again = reseal(sessionId as SessionId, sealed);
        if (again === undefined) continue;
        tx.update(sessionIdTokens)
          .set({ sealed: again })
          .where(eq(sessionIdTokens.sessionId, sessionId))
          .run();
        changed++;
      }
      return changed;
    },
  };
}
