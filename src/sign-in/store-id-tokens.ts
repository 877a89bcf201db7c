import { eq } from 'drizzle-orm';
import { sessionIdTokens } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from '../sessions/model.ts';

export type IdTokenStore = ReturnType<typeof idTokenStore>;

/** The sealed ID token of a browser session; it goes with the session's row. */
export function idTokenStore() {
  return {
    insert(tx: Tx, sessionId: SessionId, sealed: string): void {
      tx.insert(sessionIdTokens).values({ sessionId, sealed }).run();
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
  };
}
