import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import type { OpenPeople } from '../users/open-people.ts';
import { type BackchannelLogout, backchannelLogout } from './backchannel-logout.ts';
import { idTokens } from './id-tokens.ts';
import { backchannelLogoutCounts, signInCounts } from './metrics.ts';
import type { LocalSignInFeature } from './open-local.ts';
import { type KeepTokens, providerSession } from './provider-session.ts';
import { type ProviderSignOut, providerSignOut } from './provider-sign-out.ts';
import { openProviders, type Providers } from './providers.ts';
import { completePurpose } from './purposes.ts';
import { type SignInService, signInService } from './service.ts';
import { type SignOut, signOut } from './sign-out.ts';
import { attemptStore } from './store-attempts.ts';
import { idTokenStore } from './store-id-tokens.ts';
import { logoutStore } from './store-logouts.ts';

export interface OpenProviderSignInDeps {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ring: KeyRing;
  audit: AuditRecorder;
  metrics: Metrics;
  log: Logger;
  ledger: Ledger;
  people: OpenPeople;
  /** What an attempt may complete besides a sign-in. */
  local: Pick<LocalSignInFeature, 'setup' | 'invitations'>;
  /** The origin of `url`. */
  origin: string;
  config: Pick<Config, 'provider' | 'sign_in'>;
  /** What becomes of the tokens that providers hand out at sign-in. */
  upstream?: {
    /** Names of the providers whose tokens are needed. */
    readonly providers: ReadonlySet<string>;
    readonly keepTokens: KeepTokens;
  };
  /** Told of each round of asking providers. */
  onRound?: (outcome: 'success' | 'failure') => void;
}

export interface ProviderSignIn extends AsyncDisposable {
  readonly providers: Providers;
  readonly service: SignInService;
  readonly signOut: SignOut;
  readonly providerSignOut: ProviderSignOut;
  readonly backchannelLogout: BackchannelLogout;
  readonly reapTasks: readonly ReapTask[];
  /** Seals ID tokens anew with the current key; returns how many. */
  resealIdTokens(tx: Tx): number;
}

const NOBODY_NEEDS_TOKENS = { providers: new Set<string>(), keepTokens: () => undefined };

/** Sign-in and sign-out through providers. Works without any: sign-out is for everybody. */
export function openProviderSignIn(deps: OpenProviderSignInDeps): ProviderSignIn {
  const { db, clock, ring, audit, metrics, log, ledger, people, local, origin, config } = deps;
  const attempts = attemptStore();
  const logouts = logoutStore();
  const storedTokens = idTokenStore();
  const tokens = idTokens(ring, storedTokens);
  const onRound = deps.onRound && { onRound: deps.onRound };
  const { providers: giveTokens, keepTokens } = deps.upstream ?? NOBODY_NEEDS_TOKENS;
  const providers = openProviders({ config, origin, clock, log, giveTokens, ...onRound });
  const leaving = providerSignOut({ providers, ring });
  return {
    providers,
    providerSignOut: leaving,
    signOut: signOut({ ledger, idTokens: tokens, providerSignOut: leaving, audit, clock }),
    service: signInService({
      db,
      clock,
      ring,
      ledger,
      audit,
      providers,
      attempts,
      openSession: providerSession({
        ledger,
        attempts,
        logouts,
        idTokens: tokens,
        keepTokens,
        completePurpose: completePurpose({ people: people.acts, store: people.store, ...local }),
        audit,
        clock,
      }),
      providerSignOut: leaving,
      count: signInCounts(metrics),
      attemptLifetimeMs: config.sign_in.attempt_lifetime,
    }),
    backchannelLogout: backchannelLogout({
      ledger,
      users: people.store,
      providers,
      logouts,
      audit,
      count: backchannelLogoutCounts(metrics),
      clock,
      memoryMs: Math.max(config.sign_in.logout_memory, config.sign_in.attempt_lifetime),
    }),
    resealIdTokens: (tx) => tokens.resealAll(tx),
    reapTasks: [
      { name: 'sign_in_attempts', deleteExpired: (tx, now, limit) => attempts.deleteExpired(tx, now, limit) },
      {
        name: 'session_id_tokens',
        deleteExpired: (tx, now, limit) => storedTokens.deleteExpired(tx, now, limit),
      },
      {
        name: 'provider_logouts',
        deleteExpired: (tx, now, limit) => logouts.deleteExpiredLogouts(tx, now, limit),
      },
      {
        name: 'logout_token_ids',
        deleteExpired: (tx, now, limit) => logouts.deleteExpiredTokenIds(tx, now, limit),
      },
    ],
    [Symbol.asyncDispose]: () => providers[Symbol.asyncDispose](),
  };
}
