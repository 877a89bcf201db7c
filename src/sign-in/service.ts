import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { newId, newSecret } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { attemptSecrets } from './attempt-secrets.ts';
import type { CountSignIn } from './metrics.ts';
import {
  type Attempt,
  type AttemptId,
  type AttemptPurpose,
  type ProviderAnswer,
  type SignInOutcome,
  type SignInRefusal,
  SignInRefused,
  type SignInVisitor,
} from './model.ts';
import type { AuthorizationChecks, Provider } from './provider.ts';
import type { OpenProviderSession } from './provider-session.ts';
import type { ProviderSignOut } from './provider-sign-out.ts';
import type { Providers } from './providers.ts';
import { hashSecret } from './single-use-secret.ts';
import type { AttemptStore } from './store-attempts.ts';

export interface SignInDeps {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ring: KeyRing;
  ledger: Pick<Ledger, 'requireLive' | 'whenEnding'>;
  audit: AuditRecorder;
  providers: Providers;
  attempts: AttemptStore;
  openSession: OpenProviderSession;
  providerSignOut: ProviderSignOut;
  count: CountSignIn;
  attemptLifetimeMs: number;
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
  const { db, clock, ledger, audit, providers, attempts, attemptLifetimeMs } = deps;
  const secretsOf = attemptSecrets(deps.ring);
  ledger.whenEnding((tx, ended, reason) => {
    // Who signs in anew in one tab is still signing in in the others.
    if (reason !== 'replaced') attempts.deleteOfSessions(tx, ended);
  });

  /** Uses the attempt up before anything is asked of the provider: of two callbacks, one goes on. */
  const consume = async (provider: string, state: string, browserSecret: string): Promise<Attempt> => {
    const attempt = await db.write((tx) => attempts.consume(tx, state, hashSecret(browserSecret)));
    if (attempt === undefined || clock.now() >= attempt.expiresAt) throw new SignInRefused('attempt_unknown');
    if (attempt.provider !== provider) throw new SignInRefused('other_provider');
    return attempt;
  };

  const locationOf = async (provider: Provider, checks: AuthorizationChecks): Promise<URL> => {
    try {
      return await provider.authorizationUrl(checks);
    } catch (error) {
      deps.count(provider.name, 'provider_unavailable');
      throw error;
    }
  };

  const refuse = (callback: Callback, refusal: SignInRefusal, answer?: ProviderAnswer): SignInOutcome => {
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
    const signOutUrl = answer && deps.providerSignOut.url(provider, answer.idToken);
    return { ok: false, refusal, signOutUrl };
  };

  return {
    /**
     * Begins a sign-in.
     * @throws AppError `not_found` (`unknown_provider`), `unavailable` (`provider_unavailable`), `unauthorized`
     * (`session_ended`).
     */
    async begin({ visitor, ...wanted }: NewAttempt): Promise<BegunAttempt> {
      const id = newId('att') as AttemptId;
      const browserSecret = newSecret();
      const checks = { state: id, ...secretsOf(browserSecret) };
      const location = await locationOf(providers.get(wanted.provider), checks);
      await db.write((tx) => {
        const startedBySessionId = visitor.sessionId;
        if (startedBySessionId !== undefined) ledger.requireLive(tx, startedBySessionId);
        const createdAt = clock.now();
        const expiresAt = createdAt + attemptLifetimeMs;
        const { invitationId } = wanted;
        const attempt = { ...wanted, id, invitationId, startedBySessionId, createdAt, expiresAt };
        attempts.insert(tx, attempt, hashSecret(browserSecret));
      });
      return { id, browserSecret, lifetimeMs: attemptLifetimeMs, location: location.href };
    },

    /**
     * Completes a sign-in with what the provider answered. A refusal is an outcome, not an exception.
     * @throws AppError `not_found` (`unknown_provider`), `unavailable` when the store cannot take it.
     */
    async complete(callback: Callback): Promise<SignInOutcome> {
      const { state, browserSecret, query, visitor } = callback;
      const provider = providers.get(callback.provider);
      if (state === undefined) return refuse(callback, 'attempt_unknown');
      if (browserSecret === undefined) return refuse(callback, 'other_browser');
      let answer: ProviderAnswer | undefined;
      try {
        const attempt = await consume(provider.name, state, browserSecret);
        const received = await provider.redeem(query, { state, ...secretsOf(browserSecret) });
        answer = received;
        const { issued, user } = await db.write((tx) =>
          deps.openSession(tx, { provider, attempt, answer: received, visitor }),
        );
        deps.count(provider.name, 'success');
        return { ok: true, token: issued.token, user, returnTo: attempt.returnTo };
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        return refuse(callback, refusal, answer);
      }
    },
  };
}

function refusalOf(error: unknown): SignInRefusal | undefined {
  if (error instanceof SignInRefused) return error.refusal;
  return error instanceof AppError && error.code === 'user_disabled' ? 'user_disabled' : undefined;
}
