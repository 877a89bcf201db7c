import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issued, Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import type { IdentityClaims, User, UserId } from '../users/model.ts';
import { admissionOf } from './admission.ts';
import type { IdTokens } from './id-tokens.ts';
import {
  type Attempt,
  type ProviderAnswer,
  type ProviderTokens,
  SignInRefused,
  type SignInVisitor,
} from './model.ts';
import type { Provider } from './provider.ts';
import type { CompletePurpose } from './purposes.ts';
import { recordSignIn } from './record-sign-in.ts';
import type { AttemptStore } from './store-attempts.ts';
import type { LogoutStore } from './store-logouts.ts';

export interface ProviderSessionDeps {
  ledger: Pick<Ledger, 'openBrowserSession' | 'endIn' | 'findDurable'>;
  attempts: AttemptStore;
  logouts: LogoutStore;
  idTokens: IdTokens;
  completePurpose: CompletePurpose;
  /** Takes the tokens over where something needs them. */
  keepTokens: KeepTokens;
  audit: AuditRecorder;
  clock: Clock;
}

/** Keeps the tokens of somebody who just signed in, in the transaction that opens the session, where they are needed. */
export type KeepTokens = (
  tx: Tx,
  signedIn: { readonly userId: UserId; readonly claims: IdentityClaims; readonly tokens: ProviderTokens },
) => void;

export interface AnsweredAttempt {
  readonly provider: Provider;
  readonly attempt: Attempt;
  readonly answer: ProviderAnswer;
  readonly visitor: SignInVisitor;
}

export type OpenProviderSession = ReturnType<typeof providerSession>;

/**
 * Opens the session of somebody a provider vouches for, as one transaction: the person, the session, the end of the one
 * it replaces, and the audit row.
 * @throws SignInRefused, AppError `forbidden` (`user_disabled`): nothing has changed then.
 */
export function providerSession(deps: ProviderSessionDeps) {
  const { ledger, attempts, logouts, idTokens, completePurpose, keepTokens, audit, clock } = deps;

  /** Whatever ended this person's sessions since the attempt began, or in that very millisecond, ends the attempt. */
  const requireNoLogoutSince = (
    tx: Tx,
    { createdAt }: Attempt,
    user: User,
    { claims, sid }: ProviderAnswer,
  ) => {
    const wasEnded = user.endedBefore !== undefined && createdAt <= user.endedBefore;
    const { provider, subject } = claims;
    if (wasEnded || logouts.happenedSince(tx, { provider, subject, sid }, createdAt)) {
      throw new SignInRefused('ended_meanwhile');
    }
  };

  /** An attempt goes with its session; asking the provider took its time, and the session may have ended meanwhile. */
  const requireNotSignedOut = (id: SessionId | undefined) => {
    const session = id === undefined ? undefined : ledger.findDurable(id);
    if (session?.status === 'revoked' && session.revokeReason !== 'replaced') {
      throw new SignInRefused('ended_meanwhile');
    }
  };

  const replace = (tx: Tx, old: SessionId, { session }: Issued, { address }: SignInVisitor) => {
    attempts.moveToSession(tx, old, session.id);
    ledger.endIn(tx, old, { reason: 'replaced', actorUserId: session.userId, address });
  };

  return (
    tx: Tx,
    { provider, attempt, answer, visitor }: AnsweredAttempt,
  ): { issued: Issued; user: User } => {
    const { claims, sid, idToken, tokens } = answer;
    const { address, userAgent, sessionId } = visitor;
    const now = clock.now();
    requireNotSignedOut(attempt.startedBySessionId);
    requireNotSignedOut(sessionId);
    const admission = admissionOf(provider, claims);
    const user = completePurpose(tx, { attempt, claims, admission, from: { address, userAgent }, now });
    requireNoLogoutSince(tx, attempt, user, answer);
    const origin = { provider: provider.name, providerSid: sid, address, userAgent };
    const issued = ledger.openBrowserSession(tx, { userId: user.id, origin });
    if (sessionId !== undefined) replace(tx, sessionId, issued, visitor);
    const { id, expiresAt } = issued.session;
    if (idToken !== undefined) idTokens.keep(tx, id, idToken, expiresAt ?? now);
    if (tokens !== undefined) keepTokens(tx, { userId: user.id, claims, tokens });
    const detail = { provider: provider.name, purpose: attempt.purpose };
    recordSignIn(audit, tx, issued.session, detail);
    return { issued, user };
  };
}
