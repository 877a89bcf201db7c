import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { resourceAudience } from '../sessions/audience.ts';
import type { IssuedGrant, Ledger } from '../sessions/ledger.ts';
import type { Session, SessionId } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import type { User, UserId } from '../users/model.ts';
import { isVerified } from './check-pkce.ts';
import { findResource } from './check-resource.ts';
import type { AuthorizationCode, ProtectedResource } from './model.ts';
import type { CodeStore } from './store-codes.ts';
import { invalidGrant, invalidTarget } from './token-errors.ts';

export interface CodeGrantDeps {
  codes: CodeStore;
  ledger: Pick<Ledger, 'openGrant' | 'endIn' | 'writeEnding'>;
  audit: AuditRecorder;
  clock: Clock;
  resources: () => readonly ProtectedResource[];
  findUser: (id: UserId) => User | undefined;
}

/** What a client sends to redeem a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5, RFC 8707 section 2.2). */
export interface CodeRedemption {
  clientId: string;
  code: string | undefined;
  redirectUri: string | undefined;
  codeVerifier: string | undefined;
  resource: string | undefined;
  origin: Pick<Session['origin'], 'address' | 'userAgent'>;
}

type Redeemed = { readonly kind: 'granted'; readonly grant: IssuedGrant } | { readonly kind: 'reused' };

/**
 * Redeems a code, once. It is used up, and its reuse ends what it gave, only where client, redirect URI and verifier match: who merely saw a
 * code can neither spoil it nor end anything.
 */
export function codeGrant({ codes, ledger, audit, clock, resources, findUser }: CodeGrantDeps) {
  const requireMatch = (code: AuthorizationCode | undefined, sent: CodeRedemption): AuthorizationCode => {
    if (
      code === undefined ||
      code.clientId !== sent.clientId ||
      code.redirectUri !== sent.redirectUri ||
      !isVerified(sent.codeVerifier, code.codeChallenge)
    ) {
      throw invalidGrant();
    }
    return code;
  };

  /** The person may have lost what they consented to meanwhile. */
  const requireStillGood = (code: AuthorizationCode, sent: CodeRedemption): SessionId => {
    const resource = findResource(code.resource, resources());
    const user = findUser(code.userId);
    if (sent.resource !== undefined && findResource(sent.resource, resources()) !== resource)
      throw invalidTarget();
    if (resource === undefined || user?.status !== 'active' || !resource.mayUse(user)) throw invalidGrant();
    if (code.issuedBy === undefined || clock.now() >= code.expiresAt) throw invalidGrant();
    return code.issuedBy;
  };

  const endReused = (tx: Tx, { sessionId, clientId, userId }: AuthorizationCode): Redeemed => {
    if (sessionId !== undefined) ledger.endIn(tx, sessionId, { reason: 'code_reused' });
    audit.record(tx, {
      at: clock.now(),
      action: 'oauth.code_reused',
      outcome: 'refused',
      subjectUserId: userId,
      sessionId,
      detail: { client: clientId },
    });
    return { kind: 'reused' };
  };

  const redeem = (tx: Tx, sent: CodeRedemption): Redeemed => {
    const code = requireMatch(codes.read(tx, hashToken(sent.code ?? '')), sent);
    if (code.redeemedAt !== undefined) return endReused(tx, code);
    const issuedBy = requireStillGood(code, sent);
    const grant = ledger.openGrant(tx, {
      issuedBy,
      clientId: code.clientId,
      label: code.clientName,
      audience: resourceAudience(code.resource),
      scope: code.scope,
      origin: { provider: undefined, providerSid: undefined, ...sent.origin },
    });
    codes.redeem(tx, code.hash, grant.session.id, clock.now());
    audit.record(tx, {
      at: clock.now(),
      action: 'oauth.granted',
      outcome: 'success',
      actorUserId: code.userId,
      sessionId: grant.session.id,
      ...sent.origin,
      detail: { client: code.clientId, resource: code.resource, issued_by: issuedBy },
    });
    return { kind: 'granted', grant };
  };

  return async (sent: CodeRedemption): Promise<IssuedGrant | 'reused'> => {
    if (sent.code === undefined) throw new AppError('bad_request', 'invalid_request', 'code is missing');
    // Whoever guesses costs no write.
    const known = requireMatch(codes.find(hashToken(sent.code)), sent);
    const context = { reason: 'code_reused' } as const;
    const ends = known.sessionId === undefined ? [] : [{ session: known.sessionId, context }];
    const redeemed = await ledger.writeEnding(ends, (tx) => redeem(tx, sent)).catch(asInvalidGrant);
    return redeemed.kind === 'reused' ? 'reused' : redeemed.grant;
  };
}

/** The browser session that consented has ended: to the client, its code is no good. */
function asInvalidGrant(error: unknown): never {
  throw error instanceof AppError && error.code === 'session_ended' ? invalidGrant() : error;
}
