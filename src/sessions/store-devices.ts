import { and, eq, sql } from 'drizzle-orm';
import { credentials, sessions } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Credential, SessionId } from './model.ts';

export type DeviceSessionStore = ReturnType<typeof deviceSessionStore>;

/** What of a device session changes while it lives. */
export function deviceSessionStore() {
  return {
    /** Takes the place of every token that the session had. */
    replaceToken(tx: Tx, { sessionId, hash }: Pick<Credential, 'sessionId' | 'hash'>): void {
      const sessionKey = sql`(SELECT ${sessions.rowKey} FROM ${sessions} WHERE ${sessions.id} = ${sessionId})`;
      tx.delete(credentials)
        .where(and(eq(credentials.sessionKey, sessionKey), eq(credentials.use, 'device')))
        .run();
      tx.insert(credentials).values({ hash, sessionKey, use: 'device' }).run();
    },

    changeKey(tx: Tx, id: SessionId, clientPublicKey: string): void {
      tx.update(sessions).set({ clientPublicKey }).where(eq(sessions.id, id)).run();
    },

    rename(tx: Tx, id: SessionId, label: string): void {
      tx.update(sessions).set({ label }).where(eq(sessions.id, id)).run();
    },
  };
}
