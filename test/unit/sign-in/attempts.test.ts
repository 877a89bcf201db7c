import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { keyRing } from '../../../src/lib/key-ring.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { type ReapTask, reapExpired } from '../../../src/sessions/reaper.ts';
import { idTokens } from '../../../src/sign-in/id-tokens.ts';
import { signInCounts } from '../../../src/sign-in/metrics.ts';
import type { SignInOutcome } from '../../../src/sign-in/model.ts';
import type { AuthorizationChecks, Provider } from '../../../src/sign-in/provider.ts';
import { providerSession } from '../../../src/sign-in/provider-session.ts';
import { providerSignOut } from '../../../src/sign-in/provider-sign-out.ts';
import type { Providers } from '../../../src/sign-in/providers.ts';
import { completePurpose } from '../../../src/sign-in/purposes.ts';
import { type BegunAttempt, type NewAttempt, signInService } from '../../../src/sign-in/service.ts';
import { attemptStore } from '../../../src/sign-in/store-attempts.ts';
import { idTokenStore } from '../../../src/sign-in/store-id-tokens.ts';
import { logoutStore } from '../../../src/sign-in/store-logouts.ts';
import type { UserId } from '../../../src/users/model.ts';
import { TEST_SECRET } from '../../support/ledger.ts';
import {
  GOOD_PASSWORD,
  STRANGER,
  type TemporaryAccounts,
  temporaryAccounts,
} from '../../support/local-accounts.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const MINUTE_MS = 60_000;
const NOBODY = { subjects: [], emails: [], domains: [], groups: [] };
const VISITOR = { address: '192.0.2.7', userAgent: 'test', sessionId: undefined };

/** Vouches for whoever the test says, and remembers what it was asked with. */
class VouchingProvider implements Provider {
  readonly name = 'id';
  readonly label = 'Id';
  allow: Provider['allow'] = 'everyone';
  owners: Provider['owners'] = NOBODY;
  subject = 'alice';
  begun: AuthorizationChecks[] = [];
  redeemed: AuthorizationChecks[] = [];
  /** What happens here while the provider is asked. */
  meanwhile: () => Promise<unknown> = async () => undefined;

  isAvailable(): boolean {
    return true;
  }

  async refresh(): Promise<void> {}

  async authorizationUrl(checks: AuthorizationChecks): Promise<URL> {
    this.begun.push(checks);
    return new URL('https://id.example/authorize');
  }

  async redeem(_query: URLSearchParams, checks: AuthorizationChecks) {
    this.redeemed.push(checks);
    await this.meanwhile();
    const claims = {
      issuer: 'https://id.example',
      subject: this.subject,
      provider: this.name,
      preferredUsername: this.subject,
      displayName: undefined,
      verifiedEmail: undefined,
      groups: [],
    };
    return { claims, sid: 'sid-1', idToken: 'header.payload.signature', tokens: undefined };
  }

  endSessionUrl(): undefined {
    return undefined;
  }
}

let clock: ManualClock;
let accounts: TemporaryAccounts;
let provider: VouchingProvider;
let service: ReturnType<typeof signInService>;
let attempts: ReturnType<typeof attemptStore>;
let logouts: ReturnType<typeof logoutStore>;
let tokens: ReturnType<typeof idTokens>;

beforeEach(() => {
  clock = new ManualClock();
  accounts = temporaryAccounts({ clock });
  provider = new VouchingProvider();
  const { base, people, local } = accounts;
  const { db, ledger, audit, metrics } = base;
  const ring = keyRing([TEST_SECRET]);
  const providers: Providers = {
    all: [provider],
    get: () => provider,
    refresh: async () => undefined,
    async [Symbol.asyncDispose]() {},
  };
  attempts = attemptStore();
  logouts = logoutStore();
  tokens = idTokens(ring, idTokenStore());
  service = signInService({
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
      keepTokens: () => undefined,
      completePurpose: completePurpose({ people: people.acts, store: people.store, ...local }),
      audit,
      clock,
    }),
    providerSignOut: providerSignOut({ providers, ring }),
    count: signInCounts(metrics),
    attemptLifetimeMs: 10 * MINUTE_MS,
  });
});

afterEach(() => accounts[Symbol.asyncDispose]());

const begin = (attempt: Partial<NewAttempt> = {}) =>
  service.begin({ provider: 'id', purpose: 'sign_in', returnTo: '/', visitor: VISITOR, ...attempt });

const complete = ({ id, browserSecret }: BegunAttempt, sessionId?: SessionId): Promise<SignInOutcome> =>
  service.complete({
    provider: 'id',
    query: new URLSearchParams({ state: id, code: 'c' }),
    state: id,
    browserSecret,
    visitor: { ...VISITOR, sessionId },
  });

const sessionsOf = async (username: string) => {
  const user = accounts.people.store.findByUsername(username);
  return user === undefined ? [] : await accounts.base.ledger.list(user.id);
};

const refusal = (outcome: SignInOutcome) => (outcome.ok ? undefined : outcome.refusal);

const advance = async (ms: number) => {
  await clock.advance(ms);
};

describe('an attempt', () => {
  test('sends and expects the same secrets, other ones each time, and stores none of them', async () => {
    const [one, two] = [await begin(), await begin()];
    await complete(one);
    expect(provider.redeemed).toEqual(provider.begun.slice(0, 1));
    const secrets = provider.begun.flatMap(({ state, nonce, codeVerifier }) => [state, nonce, codeVerifier]);
    expect(new Set([...secrets, one.browserSecret, two.browserSecret]).size).toBe(8);
    const rows = JSON.stringify(
      accounts.base.db.reader.$client.query('SELECT * FROM sign_in_attempts').all(),
    );
    expect(rows).toContain(two.id);
    for (const secret of [provider.begun[1]?.nonce, provider.begun[1]?.codeVerifier, two.browserSecret]) {
      expect(rows).not.toContain(secret ?? '');
    }
  });

  test('runs out', async () => {
    const [one, two] = [await begin(), await begin()];
    await advance(10 * MINUTE_MS - 1);
    expect((await complete(one)).ok).toBeTrue();
    await advance(1);
    expect(refusal(await complete(two))).toBe('attempt_unknown');
  });

  test('is not used up by who does not hold its cookie', async () => {
    const attempt = await begin();
    expect(refusal(await complete({ ...attempt, browserSecret: 'x'.repeat(43) }))).toBe('attempt_unknown');
    expect((await complete(attempt)).ok).toBeTrue();
    expect(refusal(await complete(attempt))).toBe('attempt_unknown');
  });

  test('cannot be begun by a session that has ended', async () => {
    const { session } = await accounts.base.signIn(await accounts.base.addUser());
    await accounts.base.ledger.end(session.id, { reason: 'signed_out' });
    const error = await refusalOf(begin({ visitor: { ...VISITOR, sessionId: session.id } }));
    expect(error.code).toBe('session_ended');
  });

  test('outlives the session that began it when another sign-in of the same browser replaced that', async () => {
    const { session } = await accounts.base.signIn(await accounts.base.addUser());
    const visitor = { ...VISITOR, sessionId: session.id };
    const [one, two, three] = [await begin({ visitor }), await begin({ visitor }), await begin({ visitor })];
    await complete(one, session.id);
    const [second] = await sessionsOf('alice');
    expect((await accounts.base.ledger.find(session.id))?.revokeReason).toBe('replaced');
    expect((await complete(two, second?.id)).ok).toBeTrue();
    const [third] = await sessionsOf('alice');
    if (third !== undefined) await accounts.base.ledger.end(third.id, { reason: 'signed_out' });
    expect(refusal(await complete(three))).toBe('attempt_unknown');
  });

  test('is void with the sessions of a person who ended them all, however many', async () => {
    const userId = await accounts.base.addUser();
    const { session } = await accounts.base.signIn(userId);
    const attempt = await begin({ visitor: { ...VISITOR, sessionId: session.id } });
    await accounts.base.ledger.endAll(userId, { reason: 'everywhere' });
    expect(refusal(await complete(attempt))).toBe('attempt_unknown');
  });

  test('is refused when its session is signed out while the provider is asked', async () => {
    const { session } = await accounts.base.signIn(await accounts.base.addUser());
    const attempt = await begin({ visitor: { ...VISITOR, sessionId: session.id } });
    provider.meanwhile = () => accounts.base.ledger.end(session.id, { reason: 'signed_out' });
    expect(refusal(await complete(attempt, session.id))).toBe('ended_meanwhile');
    expect(accounts.people.store.findByUsername('alice')).toBeUndefined();
  });

  test('is refused when a logout arrives while the provider is asked', async () => {
    for (const [claim, value] of [
      ['sid', 'sid-1'],
      ['sub', 'alice'],
    ] as const) {
      await advance(MINUTE_MS);
      const attempt = await begin();
      const logout = { provider: 'id', claim, value, at: clock.now(), expiresAt: clock.now() + MINUTE_MS };
      provider.meanwhile = () => accounts.base.db.write((tx) => logouts.remember(tx, logout));
      expect(refusal(await complete(attempt))).toBe('ended_meanwhile');
    }
    await advance(1);
    provider.meanwhile = async () => undefined;
    expect((await complete(await begin())).ok).toBeTrue();
  });

  test('begun in the very millisecond of an "everywhere" is refused; one begun after it is not', async () => {
    await complete(await begin());
    const userId = accounts.people.store.findByUsername('alice')?.id as UserId;
    const attempt = await begin();
    await accounts.base.ledger.endAll(userId, { reason: 'everywhere' });
    expect(refusal(await complete(attempt))).toBe('ended_meanwhile');
    await advance(1);
    expect((await complete(await begin())).ok).toBeTrue();
  });

  test('is refused for somebody disabled, and changes nothing of them', async () => {
    await accounts.addLocal('keeper', 'owner');
    await complete(await begin());
    const user = accounts.people.store.findByUsername('alice');
    const userId = user?.id as UserId;
    await accounts.people.acts.disable(userId, {});
    await advance(1);
    expect(refusal(await complete(await begin()))).toBe('user_disabled');
    expect(accounts.people.store.find(userId)?.lastSignInAt).toBe(user?.lastSignInAt);
    expect(await sessionsOf('alice')).toEqual([]);
  });

  test('fails as an outage when the store cannot take it', async () => {
    const attempt = await begin();
    const outage = new AppError('unavailable', 'store_unavailable', 'no');
    accounts.base.audit.record = () => {
      throw outage;
    };
    expect(await refusalOf(complete(attempt))).toBe(outage);
    expect(await sessionsOf('alice')).toEqual([]);
    expect(accounts.people.store.findByUsername('alice')).toBeUndefined();
  });
});

describe('what an attempt completes', () => {
  test('can be the set-up: whoever signs in is the owner, though `allow` names nobody', async () => {
    provider.allow = NOBODY;
    const link = await accounts.local.setup.makeLink();
    const [one, two] = [await begin({ purpose: 'setup' }), await begin({ purpose: 'setup' })];
    expect((await complete(one)).ok).toBeTrue();
    expect(accounts.people.store.findByUsername('alice')).toMatchObject({ role: 'owner' });
    expect(() => accounts.local.setup.requireSecret(link)).toThrow('nothing here');
    provider.subject = 'late';
    expect(refusal(await complete(two))).toBe('purpose_over');
    expect(accounts.people.store.count()).toBe(1);
    expect((await complete(await begin())).ok).toBeFalse();
    provider.subject = 'alice';
    expect((await complete(await begin())).ok).toBeTrue();
    expect(accounts.people.store.findByUsername('alice')).toMatchObject({ role: 'owner' });
  });

  test('can be an invitation: one person, once, who may come back', async () => {
    provider.allow = NOBODY;
    const invitation = await accounts.local.invitations.invite('member', {});
    const wanted = { purpose: 'invitation', invitationId: invitation.id } as const;
    const [one, two] = [await begin(wanted), await begin(wanted)];
    provider.subject = 'grace';
    expect((await complete(one)).ok).toBeTrue();
    provider.subject = 'hal';
    expect(refusal(await complete(two))).toBe('purpose_over');
    expect(accounts.people.store.findByUsername('hal')).toBeUndefined();
    provider.subject = 'grace';
    expect((await complete(await begin())).ok).toBeTrue();
    expect(await accounts.actions()).toContain('invitation.used');
  });

  test('can be an invitation that was voided meanwhile', async () => {
    const invitation = await accounts.local.invitations.invite('member', {});
    const attempt = await begin({ purpose: 'invitation', invitationId: invitation.id });
    await accounts.local.invitations.void(invitation.id, {});
    expect(refusal(await complete(attempt))).toBe('purpose_over');
    expect(await sessionsOf('alice')).toEqual([]);
  });
});

test('a password sign-in in another tab leaves the attempt standing', async () => {
  await accounts.addLocal('lena');
  const first = await accounts.local.signIn('lena', GOOD_PASSWORD, STRANGER);
  const { id } = first.issued.session;
  const attempt = await begin({ visitor: { ...VISITOR, sessionId: id } });
  await accounts.local.signIn('lena', GOOD_PASSWORD, { ...STRANGER, sessionId: id });
  expect((await complete(attempt)).ok).toBeTrue();
});

test('an ID token is kept sealed for its session, and handed out once', async () => {
  await complete(await begin());
  const [session] = await sessionsOf('alice');
  const id = session?.id as SessionId;
  const { db } = accounts.base;
  const stored = JSON.stringify(db.reader.$client.query('SELECT * FROM session_id_tokens').all());
  expect(stored).not.toContain('payload');
  expect(await db.write((tx) => [tokens.take(tx, id), tokens.take(tx, id)])).toEqual([
    'header.payload.signature',
    undefined,
  ]);
});

test('an ID token is deleted at the end of its session, which may be in Redis, and no sooner', async () => {
  const { db } = accounts.base;
  const store = idTokenStore();
  const [over, goesOn] = ['ses_over' as SessionId, 'ses_goes-on' as SessionId];
  await db.write((tx) => {
    tokens.keep(tx, over, 'a.b.c', clock.now() + MINUTE_MS);
    tokens.keep(tx, goesOn, 'd.e.f', clock.now() + MINUTE_MS + 1);
  });
  await advance(MINUTE_MS);
  expect(await db.write((tx) => store.deleteExpired(tx, clock.now(), 10))).toBe(1);
  expect(await db.write((tx) => [tokens.take(tx, over), tokens.take(tx, goesOn)])).toEqual([
    undefined,
    'd.e.f',
  ]);
});

test('what has run out is deleted, and what still counts is kept', async () => {
  const { db } = accounts.base;
  const old = await begin();
  const now = clock.now();
  const soon = now + MINUTE_MS;
  await db.write((tx) => {
    const logout = { provider: 'id', claim: 'sid', at: now } as const;
    logouts.remember(tx, { ...logout, value: 'old', expiresAt: soon });
    logouts.remember(tx, { ...logout, value: 'kept', expiresAt: now + 60 * MINUTE_MS });
    expect(logouts.takeTokenId(tx, { provider: 'id', jti: 'old', expiresAt: soon }, now)).toBeTrue();
    expect(logouts.takeTokenId(tx, { provider: 'id', jti: 'old', expiresAt: soon }, now)).toBeFalse();
    expect(logouts.takeTokenId(tx, { provider: 'other', jti: 'old', expiresAt: soon }, now)).toBeTrue();
  });
  await advance(10 * MINUTE_MS);
  await begin();
  const tasks: ReapTask[] = [
    { name: 'attempts', deleteExpired: (tx, at, limit) => attempts.deleteExpired(tx, at, limit) },
    { name: 'logouts', deleteExpired: (tx, at, limit) => logouts.deleteExpiredLogouts(tx, at, limit) },
    { name: 'ids', deleteExpired: (tx, at, limit) => logouts.deleteExpiredTokenIds(tx, at, limit) },
  ];
  const report = await reapExpired({ db, clock, tasks, flush: async () => undefined });
  expect(report).toEqual({ suspended: false, deleted: { attempts: 1, logouts: 1, ids: 2 } });
  expect(refusal(await complete(old))).toBe('attempt_unknown');
});
