import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { hostAudience, originAudience } from './audience.ts';
import { blankSession, type Issue } from './issue.ts';
import type { Ledger, NewBrowserSession, NewChildSession, NewGrant, NewPersonalToken } from './ledger.ts';
import type { Credential, Session, SessionId } from './model.ts';
import type { SessionStore } from './store-contract.ts';
import { hashToken, type TokenMint } from './token.ts';
import type { Touches } from './touches.ts';

export interface IssuingDeps {
  store: SessionStore;
  mint: TokenMint;
  issue: Issue;
  touches: Touches;
  clock: Clock;
  /** The origin of `url`: the audience of browser sessions. */
  origin: string;
  idleTimeoutMs: number;
  absoluteLifetimeMs: number;
  grants: { idleTimeoutMs: number; absoluteLifetimeMs: number; accessLifetimeMs: number };
  addCredential: (tx: Tx, credential: Credential) => void;
  /** Revokes what stood in the new session's place. */
  replace: (tx: Tx, ids: readonly SessionId[]) => void;
}

/** The built-in client that personal tokens are grants of. */
export const PERSONAL_CLIENT_ID = 'personal';

type Issuing = Pick<
  Ledger,
  'openBrowserSession' | 'openChildSession' | 'openPersonalToken' | 'openGrant' | 'requireLive'
>;

/** Makes sessions and their first credential, inside the caller's transaction. */
export function issuing(deps: IssuingDeps): Issuing {
  const { store, mint, clock } = deps;
  const { requireLive, requireActiveUser, issue } = deps.issue;

  return {
    requireLive,

    openBrowserSession(tx, { userId, origin }: NewBrowserSession) {
      requireActiveUser(tx, userId);
      const now = clock.now();
      const session: Session = {
        ...blankSession(userId, now),
        kind: 'user',
        audience: [originAudience(deps.origin)],
        idleTimeoutMs: deps.idleTimeoutMs,
        expiresAt: now + deps.absoluteLifetimeMs,
        origin,
      };
      return issue(tx, session, 'cookie');
    },

    openChildSession(tx, { parentId, host, origin }: NewChildSession) {
      const parent = requireLive(tx, parentId);
      if (parent.kind !== 'user' || parent.parentId !== undefined) {
        throw new AppError(
          'forbidden',
          'not_a_browser_session',
          'Only a browser session can reach another host.',
        );
      }
      const audience = hostAudience(host);
      const sameHost = store.childrenAt(tx, parentId, audience);
      if (sameHost.length > 0) deps.replace(tx, sameHost);
      const session: Session = {
        ...blankSession(parent.userId, clock.now()),
        kind: 'user',
        parentId,
        audience: [audience],
        // Never longer than the parent: touching a child touches its parent too.
        idleTimeoutMs: parent.idleTimeoutMs,
        expiresAt: parent.expiresAt,
        origin: { ...origin, provider: parent.origin.provider },
      };
      deps.touches.record(parentId, session.createdAt);
      return issue(tx, session, 'cookie');
    },

    openPersonalToken(tx, { issuedBy, label, audience, expiresAt, origin }: NewPersonalToken) {
      const issuer = requireLive(tx, issuedBy);
      const session: Session = {
        ...blankSession(issuer.userId, clock.now()),
        kind: 'grant',
        audience,
        expiresAt,
        origin,
        label,
        clientId: PERSONAL_CLIENT_ID,
      };
      return issue(tx, session, 'personal');
    },

    openGrant(tx, { issuedBy, clientId, label, audience, scope, origin }: NewGrant) {
      const issuer = requireLive(tx, issuedBy);
      const now = clock.now();
      const { idleTimeoutMs, absoluteLifetimeMs, accessLifetimeMs } = deps.grants;
      const request: Session = {
        ...blankSession(issuer.userId, now),
        kind: 'grant',
        audience: [audience],
        idleTimeoutMs,
        expiresAt: now + absoluteLifetimeMs,
        origin,
        label,
        clientId,
        scope,
      };
      const { session, token: refresh } = issue(tx, request, 'refresh');
      const access = mint.mint('access');
      const accessExpiresAt = now + accessLifetimeMs;
      deps.addCredential(tx, {
        hash: hashToken(access),
        sessionId: session.id,
        use: 'access',
        expiresAt: accessExpiresAt,
        supersededAt: undefined,
      });
      return { session, tokens: { access, refresh, accessExpiresAt } };
    },
  };
}
