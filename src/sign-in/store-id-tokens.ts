import { eq } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
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
    deleteExpired: (tx: Tx, now: number, limit: number) =>
      deleteExpiredRows(tx, sessionIdTokens, sessionIdTokens.expiresAtMs, now, limit),

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
