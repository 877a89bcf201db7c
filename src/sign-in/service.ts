import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { newId, newSecret } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { Session, SessionId } from '../sessions/model.ts';
import type { User } from '../users/model.ts';
import { admissionOf } from './admission.ts';
import { attemptSecrets } from './attempt-secrets.ts';
import type { IdTokens } from './id-tokens.ts';
import type { CountSignIn } from './metrics.ts';
import {
  type Attempt,
  type AttemptId,
  type AttemptPurpose,
  type ProviderAnswer,
  type SignInOutcome,
  type SignInRefusal,
  SignInRefused,
} from './model.ts';
import type { Provider } from './provider.ts';
import type { ProviderSignOut } from './provider-sign-out.ts';
import type { Providers } from './providers.ts';
import type { CompletePurpose } from './purposes.ts';
import { hashSecret } from './single-use-secret.ts';
import type { AttemptStore } from './store-attempts.ts';
import type { LogoutStore } from './store-logouts.ts';

export interface SignInDeps {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ring: KeyRing;
  ledger: Ledger;
  audit: AuditRecorder;
  providers: Providers;
  attempts: AttemptStore;
  logouts: LogoutStore;
  idTokens: IdTokens;
  providerSignOut: ProviderSignOut;
  completePurpose: CompletePurpose;
  count: CountSignIn;
  attemptLifetimeMs: number;
}

/** The browser that asks. */
export interface SignInVisitor {
  readonly address: string;
  readonly userAgent: string | undefined;
  /** The session it holds already. */
  readonly sessionId: SessionId | undefined;
}

export interface NewAttempt {
  readonly provider: string;
  readonly purpose: AttemptPurpose;
  /** Checked by `safeReturnTo`. */
  readonly returnTo: string;
  readonly invitationId?: string | undefined;
  readonly visitor: SignInVisitor;
}

/** What a browser needs to go on. */
export interface BegunAttempt {
  readonly id: AttemptId;
  /** For its cookie; told once. */
  readonly browserSecret: string;
  readonly lifetimeMs: number;
  /** Where it goes: a page of the provider. */
  readonly location: string;
}

/** What a browser came back with. */
export interface Callback {
  readonly provider: string;
  readonly query: URLSearchParams;
  /** `state` of the query. */
  readonly state: string | undefined;
  /** From the cookie of that attempt. */
  readonly browserSecret: string | undefined;
  readonly visitor: SignInVisitor;
}

export type SignInService = ReturnType<typeof signInService>;

/** Sign-in through providers: one row per attempt, used once, by the browser that holds its cookie. */
export function signInService(deps: SignInDeps) {
  const { db, clock, ledger, audit, providers, attempts, logouts, idTokens, attemptLifetimeMs } = deps;
  const secretsOf = attemptSecrets(deps.ring);
  ledger.whenEnding((tx, ended, reason) => {
    // Who signs in anew in one tab is still signing in in the others.
    if (reason !== 'replaced') attempts.deleteOfSessions(tx, ended);
  });

  const consume = async ({ state, browserSecret, provider }: Callback): Promise<Attempt> => {
    if (state === undefined) throw new SignInRefused('attempt_unknown');
    if (browserSecret === undefined) throw new SignInRefused('other_browser');
    const attempt = await db.write((tx) => attempts.consume(tx, state, hashSecret(browserSecret)));
    if (attempt === undefined || clock.now() >= attempt.expiresAt) throw new SignInRefused('attempt_unknown');
    if (attempt.provider !== provider) throw new SignInRefused('other_provider');
    return attempt;
  };

  /** Whatever ended this person's sessions since the attempt began, or in that very millisecond, ends the attempt. */
  const requireNoLogoutSince = (tx: Tx, { createdAt }: Attempt, user: User, answer: ProviderAnswer) => {
    const { claims, sid } = answer;
    const subject = { provider: claims.provider, subject: claims.subject, sid };
    const wasEnded = user.endedBefore !== undefined && createdAt <= user.endedBefore;
    if (wasEnded || logouts.happenedSince(tx, subject, createdAt)) throw new SignInRefused('ended_meanwhile');
  };

  /** One transaction: the person, the new session, the end of the one it replaces, and the audit row. */
  const open = (
    tx: Tx,
    provider: Provider,
    attempt: Attempt,
    answer: ProviderAnswer,
    visitor: SignInVisitor,
  ) => {
    const { claims, sid } = answer;
    const { address, userAgent, sessionId } = visitor;
    const now = clock.now();
    const admission = admissionOf(provider, claims);
    const user = deps.completePurpose(tx, { attempt, claims, admission, from: { address, userAgent }, now });
    requireNoLogoutSince(tx, attempt, user, answer);
    const origin = { provider: provider.name, providerSid: sid, address, userAgent };
    const issued = ledger.openBrowserSession(tx, { userId: user.id, origin });
    if (sessionId !== undefined) replace(tx, sessionId, issued.session, user, address);
    if (answer.idToken !== undefined) idTokens.keep(tx, issued.session.id, answer.idToken);
    audit.record(tx, {
      at: now,
      action: 'sign_in',
      outcome: 'success',
      actorUserId: user.id,
      sessionId: issued.session.id,
      address,
      userAgent,
      detail: { provider: provider.name, purpose: attempt.purpose },
    });
    return { issued, user };
  };

  const replace = (tx: Tx, old: SessionId, { id }: Session, user: User, address: string) => {
    attempts.moveToSession(tx, old, id);
    ledger.endIn(tx, old, { reason: 'replaced', actorUserId: user.id, address });
  };

  const refused = (callback: Callback, refusal: SignInRefusal, answer?: ProviderAnswer) => {
    const { provider, visitor } = callback;
    deps.count(provider, refusal);
    audit.note({
      at: clock.now(),
      action: 'sign_in',
      outcome: 'refused',
      address: visitor.address,
      userAgent: visitor.userAgent,
      detail: { provider, reason: refusal, ...(answer !== undefined && { subject: answer.claims.subject }) },
    });
  };

  return {
    /**
     * Begins a sign-in.
     * @throws AppError `not_found` (`unknown_provider`), `unavailable` (`provider_unavailable`), `unauthorized`
     * (`session_ended`).
     */
    async begin({
      provider: name,
      purpose,
      returnTo,
      invitationId,
      visitor,
    }: NewAttempt): Promise<BegunAttempt> {
      const provider = providers.get(name);
      const id = newId('att') as AttemptId;
      const browserSecret = newSecret();
      const location = await provider.authorizationUrl({ state: id, ...secretsOf(browserSecret) });
      await db.write((tx) => {
        const { sessionId } = visitor;
        if (sessionId !== undefined) ledger.requireLive(tx, sessionId);
        const now = clock.now();
        const attempt: Attempt = {
          id,
          provider: name,
          returnTo,
          purpose,
          invitationId,
          startedBySessionId: sessionId,
          createdAt: now,
          expiresAt: now + attemptLifetimeMs,
        };
        attempts.insert(tx, attempt, hashSecret(browserSecret));
      });
      return { id, browserSecret, lifetimeMs: attemptLifetimeMs, location: location.href };
    },

    /**
     * Completes a sign-in with what the provider answered. A refusal is an outcome, not an exception.
     * @throws AppError `not_found` (`unknown_provider`), `unavailable` when the store cannot take it.
     */
    async complete(callback: Callback): Promise<SignInOutcome> {
      const provider = providers.get(callback.provider);
      let answer: ProviderAnswer | undefined;
      try {
        const attempt = await consume(callback);
        const { state = '', browserSecret = '', query, visitor } = callback;
        const received = await provider.redeem(query, { state, ...secretsOf(browserSecret) });
        answer = received;
        const { issued, user } = await db.write((tx) => open(tx, provider, attempt, received, visitor));
        deps.count(provider.name, 'success');
        return { ok: true, token: issued.token, user, returnTo: attempt.returnTo };
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        refused(callback, refusal, answer);
        const signOutUrl = answer && deps.providerSignOut.url(provider.name, answer.idToken);
        return { ok: false, refusal, signOutUrl };
      }
    },
  };
}

function refusalOf(error: unknown): SignInRefusal | undefined {
  if (error instanceof SignInRefused) return error.refusal;
  return error instanceof AppError && error.code === 'user_disabled' ? 'user_disabled' : undefined;
}
