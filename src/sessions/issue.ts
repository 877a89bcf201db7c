import { afterCommit, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/random.ts';
import type { UserId } from '../users/model.ts';
import type { Issued } from './ledger.ts';
import type { CredentialUse, Session, SessionId, SessionSnapshot } from './model.ts';
import { isLiveNow } from './recognition.ts';
import type { Refusals } from './refusals.ts';
import type { SessionStore } from './store-contract.ts';
import { hashToken, type TokenMint } from './token.ts';
import type { Touches } from './touches.ts';

export interface IssueDeps {
  store: SessionStore;
  mint: TokenMint;
  /** Told of sessions that began, after the commit. */
  tellBegun: (begun: readonly SessionSnapshot[]) => void;
  touches: Touches;
  refusals: Refusals;
  clock: Clock;
}

/** What issuing a session of any kind takes. */
export interface Issue {
  /** @throws AppError `unauthorized` (`session_ended`) unless the session is live. */
  requireLive: (tx: Tx, id: SessionId) => Session;
  /** @throws AppError `forbidden` (`user_disabled`) unless the person may hold sessions. */
  requireActiveUser: (tx: Tx, id: UserId) => void;
  /** Inserts the session with its first credential, and tells of it once that is committed. */
  issue: (tx: Tx, session: Session, use: CredentialUse) => Issued;
}

export function issue({ store, mint, tellBegun, touches, refusals, clock }: IssueDeps): Issue {
  return {
    requireLive(tx, id) {
      const session = store.read(tx, id);
      if (session === undefined || !isLiveNow(session, touches, clock.now()) || refusals.refuses(session)) {
        throw new AppError('unauthorized', 'session_ended', 'The session that asked for this has ended.');
      }
      return session;
    },

    requireActiveUser(tx, id) {
      if (store.findUser(tx, id)?.status === 'active') return;
      throw new AppError('forbidden', 'user_disabled', 'This account may not sign in.');
    },

    issue(tx, session, use) {
      const token = mint.mint(use);
      const kept = store.insert(tx, session, {
        hash: hashToken(token),
        sessionId: session.id,
        use,
        expiresAt: undefined,
        supersededAt: undefined,
      });
      afterCommit(tx, () => tellBegun([{ change: 'created', session: kept }]));
      return { session: kept, token };
    },
  };
}

/** A session that begins now, without what its kind adds. */
export function blankSession(userId: UserId, now: number): Omit<Session, 'kind' | 'audience' | 'origin'> {
  return {
    id: newId('ses') as SessionId,
    userId,
    parentId: undefined,
    status: 'active',
    revokedAt: undefined,
    revokeReason: undefined,
    createdAt: now,
    lastSeenAt: now,
    idleTimeoutMs: undefined,
    expiresAt: undefined,
    label: undefined,
    clientId: undefined,
    scope: undefined,
    deviceId: undefined,
    clientPublicKey: undefined,
  };
}
