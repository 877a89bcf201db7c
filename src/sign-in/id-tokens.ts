import type { Tx } from '../db/write.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { sealer } from '../lib/seal.ts';
import type { SessionId } from '../sessions/model.ts';
import type { IdTokenStore } from './store-id-tokens.ts';

const PURPOSE = keyPurpose('id token');

export interface IdTokens {
  /** Keeps the token until `expiresAt` (epoch milliseconds) at the latest. */
  keep(tx: Tx, sessionId: SessionId, idToken: string, expiresAt: number): void;
  /** Removes and returns it; `undefined` when there is none, or when a secret that is no longer known sealed it. */
  take(tx: Tx, sessionId: SessionId): string | undefined;
  /** Seals them all anew with the current key; returns how many. */
  resealAll(tx: Tx): number;
}

/** ID tokens are kept sealed, and only to be handed back to their provider when the person signs out. */
export function idTokens(ring: KeyRing, store: Omit<IdTokenStore, 'deleteExpired'>): IdTokens {
  const box = sealer(ring, PURPOSE);
  const context = (sessionId: SessionId) => ['session_id_tokens', sessionId];
  return {
    keep: (tx, sessionId, idToken, expiresAt) =>
      store.insert(tx, sessionId, box.seal(idToken, context(sessionId)), expiresAt),
    take(tx, sessionId) {
      const sealed = store.take(tx, sessionId);
      return sealed === undefined ? undefined : box.open(sealed, context(sessionId));
    },
    resealAll: (tx) =>
      store.resealAll(tx, (sessionId, sealed) => {
        const idToken = box.open(sealed, context(sessionId));
        return idToken === undefined ? undefined : box.seal(idToken, context(sessionId));
      }),
  };
}
