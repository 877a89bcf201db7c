import { describe, expect, test } from 'bun:test';
import { KNOWN_BROWSER_LIFETIME_MS } from '../../../src/sign-in/known-browsers.ts';
import type { Visitor } from '../../../src/sign-in/local-session.ts';
import {
  GOOD_PASSWORD,
  STRANGER,
  type TemporaryAccounts,
  temporaryAccounts,
} from '../../support/local-accounts.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const WRONG = 'this is not the password';

/** The same browser at its next visit. */
function remembered({ local }: TemporaryAccounts, cookie: string, address = STRANGER.address): Visitor {
  return { ...STRANGER, address, browser: local.browsers.read(cookie) };
}

async function failures(
  accounts: TemporaryAccounts,
  count: number,
  name: string,
  visitor: (index: number) => Visitor,
) {
  const codes: string[] = [];
  for (let index = 0; index < count; index++) {
    codes.push((await refusalOf(accounts.local.signIn(name, WRONG, visitor(index)))).code);
  }
  return codes;
}

const from = (address: string): Visitor => ({ ...STRANGER, address });

describe('a sign-in', () => {
  test.each(['alice', 'ALICE', 'ａlice'])('takes the name in any form: %s', async (name) => {
    await using accounts = temporaryAccounts();
    const alice = await accounts.addLocal('Alice');
    const { user, issued } = await accounts.local.signIn(name, GOOD_PASSWORD, STRANGER);
    expect(user.id).toBe(alice.id);
    expect((await accounts.base.ledger.list(alice.id)).map(({ id }) => id)).toEqual([issued.session.id]);
    expect(issued.session.origin).toMatchObject({ address: STRANGER.address, userAgent: 'test browser' });
    expect(accounts.people.store.find(alice.id)?.lastSignInAt).toBe(accounts.base.clock.now());
    expect(await accounts.actions()).toEqual(['user.created', 'sign_in']);
  });

  test('replaces the session that this browser had', async () => {
    await using accounts = temporaryAccounts();
    const alice = await accounts.addLocal('alice');
    const first = await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    const again = { ...STRANGER, sessionId: first.issued.session.id };
    const second = await accounts.local.signIn('alice', GOOD_PASSWORD, again);
    expect((await accounts.base.ledger.list(alice.id)).map(({ id }) => id)).toEqual([
      second.issued.session.id,
    ]);
    expect((await accounts.base.ledger.find(first.issued.session.id))?.revokeReason).toBe('replaced');
  });

  test('is refused in one way, whatever is wrong', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    const disabled = await accounts.addLocal('disabled');
    await accounts.people.acts.disable(disabled.id, {});
    await accounts.base.addUser('without-password');
    const tries: [string, string][] = [
      ['alice', WRONG],
      ['alice', ''],
      ['alice', 'x'.repeat(100_000)],
      ['nobody', GOOD_PASSWORD],
      ['disabled', GOOD_PASSWORD],
      ['without-password', GOOD_PASSWORD],
      ['x'.repeat(100_000), GOOD_PASSWORD],
      ['', ''],
      ["' OR 1=1 --", GOOD_PASSWORD],
      ['a@b@c', GOOD_PASSWORD],
    ];
    const refusals = [];
    for (const [name, password] of tries) {
      refusals.push(await refusalOf(accounts.local.signIn(name, password, STRANGER)));
    }
    const seen = refusals.map(({ kind, code, message }) => ({ kind, code, message }));
    expect(new Set(seen.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(seen[0]).toMatchObject({ kind: 'unauthorized', code: 'wrong_credentials' });
  });

  test('leaves no typed text in the audit', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    await refusalOf(accounts.local.signIn('typed-a-password-here', WRONG, STRANGER));
    expect(await accounts.actions()).toContain('sign_in');
    expect(JSON.stringify(accounts.base.auditStore.list({ limit: 10 }))).not.toMatch(
      /typed-a-password-here|not the/,
    );
  });

  test('under way when everything ends comes to nothing', async () => {
    await using accounts = temporaryAccounts();
    const alice = await accounts.addLocal('alice');
    const signingIn = accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    await accounts.base.ledger.endAll(alice.id, { reason: 'everywhere' });
    expect((await refusalOf(signingIn)).code).toBe('wrong_credentials');
    expect(await accounts.base.ledger.list(alice.id)).toEqual([]);
  });

  test('under way when the password changes comes to nothing', async () => {
    await using accounts = temporaryAccounts();
    const alice = await accounts.addLocal('alice');
    const signingIn = accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    await accounts.base.db.write((tx) => accounts.people.passwords.set(tx, alice.id, 'another', 0));
    expect((await refusalOf(signingIn)).code).toBe('wrong_credentials');
  });

  test('with a verified address works for who has both', async () => {
    await using accounts = temporaryAccounts();
    const alice = await accounts.addLocal('alice');
    await accounts.base.db.write((tx) =>
      accounts.people.store.update(tx, alice.id, { email: 'Alice@example.org' }),
    );
    expect((await accounts.local.signIn('alice@EXAMPLE.org', GOOD_PASSWORD, STRANGER)).user.id).toBe(
      alice.id,
    );
  });
});

describe('guessing', () => {
  test('from one address meets a limit, and only that address', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    const codes = await failures(accounts, 31, '', () => from('198.51.100.7'));
    // Ten for one name, then the name's own limit; other names go on to thirty.
    expect(codes.filter((code) => code === 'wrong_credentials')).toHaveLength(10);
    for (let index = 0; index < 20; index++)
      await failures(accounts, 1, `n${index}`, () => from('198.51.100.7'));
    const refused = await refusalOf(accounts.local.signIn('alice', GOOD_PASSWORD, from('198.51.100.7')));
    expect(refused).toMatchObject({ kind: 'too_many_requests', code: 'too_many_attempts' });
    expect(refused.retryAfterSeconds).toBeGreaterThan(0);
    expect((await accounts.local.signIn('alice', GOOD_PASSWORD, from('198.51.100.8'))).user.username).toBe(
      'alice',
    );
  });

  test('from all over one /64 counts as one address', async () => {
    await using accounts = temporaryAccounts();
    const codes: string[] = [];
    for (let index = 0; index < 31; index++) {
      codes.push(...(await failures(accounts, 1, `n${index}`, () => from(`2001:db8:1:2::${index + 1}`))));
    }
    expect(codes.filter((code) => code === 'too_many_attempts')).toHaveLength(1);
    expect(await failures(accounts, 1, 'other', () => from('2001:db8:1:3::1'))).toEqual([
      'wrong_credentials',
    ]);
  });

  test('at one account from everywhere meets the account’s limit, of existing and unknown names alike', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    const everywhere = (index: number) => from(`198.51.${index}.1`);
    const known = await failures(accounts, 12, 'alice', everywhere);
    const unknown = await failures(accounts, 12, 'nobody', everywhere);
    expect(known).toEqual(unknown);
    expect(known.slice(9)).toEqual(['wrong_credentials', 'too_many_attempts', 'too_many_attempts']);
  });

  test('many at once is no way around', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    const codes = await Promise.all(
      Array.from({ length: 25 }, async (_, index) => {
        return (await refusalOf(accounts.local.signIn('alice', WRONG, from(`198.51.${index}.1`)))).code;
      }),
    );
    expect(codes.filter((code) => code === 'wrong_credentials')).toHaveLength(10);
  });

  test('locks nobody out who has signed in before, not even behind the same address', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    const { knownBrowser } = await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    await failures(accounts, 12, 'alice', () => STRANGER);
    for (let index = 0; index < 30; index++) await failures(accounts, 1, `n${index}`, () => STRANGER);
    expect((await refusalOf(accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER))).code).toBe(
      'too_many_attempts',
    );
    const again = await accounts.local.signIn('alice', GOOD_PASSWORD, remembered(accounts, knownBrowser));
    expect(again.user.username).toBe('alice');
  });

  test('from a known browser meets a limit of its own', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    await accounts.addLocal('bob');
    const { knownBrowser } = await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    const visitor = remembered(accounts, knownBrowser);
    const codes = await failures(accounts, 11, 'alice', () => visitor);
    expect(codes.at(-1)).toBe('too_many_attempts');
    // A stranger's budget for alice is untouched, and for bob this browser is a stranger.
    expect((await accounts.local.signIn('alice', GOOD_PASSWORD, from('203.0.113.1'))).user.username).toBe(
      'alice',
    );
    expect(await failures(accounts, 1, 'bob', () => visitor)).toEqual(['wrong_credentials']);
  });

  test('is possible again as the window moves on', async () => {
    const clock = new ManualClock();
    await using accounts = temporaryAccounts({ clock });
    await accounts.addLocal('alice');
    await failures(accounts, 10, 'alice', (index) => from(`198.51.${index}.1`));
    const refused = await refusalOf(accounts.local.signIn('alice', GOOD_PASSWORD, from('203.0.113.1')));
    await clock.advance((refused.retryAfterSeconds ?? 0) * 1_000);
    expect((await accounts.local.signIn('alice', GOOD_PASSWORD, from('203.0.113.1'))).user.username).toBe(
      'alice',
    );
  });

  test('in a flood writes a few audit rows', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    await failures(accounts, 60, 'alice', () => STRANGER);
    const actions = await accounts.actions();
    expect(actions.filter((action) => action === 'sign_in.rate_limited')).toHaveLength(1);
    expect(actions.filter((action) => action === 'sign_in')).toHaveLength(10);
  });

  test('right answers cost nothing of the limits', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    for (let index = 0; index < 40; index++) await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    expect(await failures(accounts, 1, 'alice', () => STRANGER)).toEqual(['wrong_credentials']);
  });
});

describe('a known-browser cookie', () => {
  test('forged, cut or of another secret is none', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('alice');
    const { knownBrowser } = await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    const { browsers } = accounts.local;
    expect(browsers.read(knownBrowser)?.userIds).toHaveLength(1);
    const flipped = knownBrowser.slice(0, -1) + (knownBrowser.endsWith('A') ? 'B' : 'A');
    for (const value of [
      undefined,
      '',
      'x',
      flipped,
      knownBrowser.slice(0, 40),
      `${knownBrowser}AAAA`,
      '%00',
    ]) {
      expect(browsers.read(value)).toBeUndefined();
    }
  });

  test('keeps one identity over several accounts, and forgets after a year', async () => {
    const clock = new ManualClock();
    await using accounts = temporaryAccounts({ clock });
    await accounts.addLocal('alice');
    await accounts.addLocal('bob');
    const first = await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER);
    const browser = accounts.local.browsers.read(first.knownBrowser);
    const second = await accounts.local.signIn('bob', GOOD_PASSWORD, { ...STRANGER, browser });
    const both = accounts.local.browsers.read(second.knownBrowser);
    expect(both?.id).toBe(browser?.id);
    expect(both?.userIds).toEqual([second.user.id, first.user.id]);
    await clock.advance(KNOWN_BROWSER_LIFETIME_MS + 1);
    expect(accounts.local.browsers.read(second.knownBrowser)).toBeUndefined();
  });
});
