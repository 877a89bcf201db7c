import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { OpenPeople } from '../users/open-people.ts';
import { passwordHasher } from '../users/password-hash.ts';
import { invitationLinks } from './invitations.ts';
import { knownBrowsers } from './known-browsers.ts';
import { localSignIn } from './local.ts';
import { localAccounts } from './local-accounts.ts';
import { type LocalLimitsDeps, localLimits } from './local-limits.ts';
import { localPasswords } from './local-password.ts';
import { localSession } from './local-session.ts';
import { signInCounts } from './metrics.ts';
import { setup } from './setup.ts';
import { setupStore } from './store-setup.ts';

export interface OpenLocalDeps extends Omit<LocalLimitsDeps, 'config'> {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ring: KeyRing;
  audit: AuditRecorder;
  metrics: Metrics;
  ledger: Ledger;
  people: OpenPeople;
  /** The origin and the host of `url`. */
  origin: { origin: string; host: string };
  config: Config['sign_in'];
}

/** Sessions that could be changing a password at once; more are forgotten. */
const MAX_CHANGING = 10_000;

export type LocalSignInFeature = ReturnType<typeof openLocal>;

/** Sign-in without a provider: passwords, the setup link, invitations. What sessions began is voided when they end. */
export function openLocal(deps: OpenLocalDeps) {
  const { db, clock, ring, audit, metrics, ledger, people, config, limiter, addressKey } = deps;
  const { origin, host } = deps.origin;
  const { store, passwords } = people;
  const hasher = passwordHasher();
  const browsers = knownBrowsers({ ring, clock });
  const openSession = localSession({ ledger, store, browsers, audit, clock });
  const createAccount = localAccounts({
    db,
    clock,
    store,
    people: people.acts,
    passwords,
    hasher,
    openSession,
    host,
  });
  const invitations = invitationLinks({
    db,
    clock,
    store,
    invitations: people.invitations,
    ledger,
    audit,
    createAccount,
    origin,
    lifetimeMs: config.invitation_lifetime,
    resetLifetimeMs: config.password_reset_lifetime,
  });
  ledger.whenEnding((tx, ended, reason) => invitations.voidOfSessions(tx, ended, reason));
  const attempts = { limit: config.attempts_per_account, windowMs: config.attempts_window };
  const count = signInCounts(metrics);

  return {
    browsers,
    invitations,
    setup: setup({
      db,
      clock,
      store,
      setups: setupStore(db),
      audit,
      createAccount,
      origin,
      lifetimeMs: config.setup_lifetime,
    }),
    signIn: localSignIn({
      db,
      clock,
      store,
      passwords,
      hasher,
      limits: localLimits({ limiter, addressKey, config }),
      openSession,
      audit,
      onOutcome: (outcome) => count('local', outcome),
    }),
    passwords: localPasswords({
      clock,
      store,
      passwords,
      invitationStore: people.invitations,
      invitations,
      hasher,
      ledger,
      openSession,
      audit,
      limit: limiter({ name: 'old passwords', ...attempts, maxKeys: MAX_CHANGING }),
      host,
    }),
    /** Whether anybody signs in with a password, so that the page offers it. */
    isUsed: (): boolean => passwords.exist(),
    reapTask: {
      name: 'invitations',
      deleteExpired: (tx: Tx, now: number, limit: number) => people.invitations.deleteExpired(tx, now, limit),
    },
  };
}
