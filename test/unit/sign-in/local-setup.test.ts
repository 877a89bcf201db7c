import { describe, expect, test } from 'bun:test';
import { readSecret } from '../../../src/sign-in/single-use-secret.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import {
  GOOD_PASSWORD,
  STRANGER,
  type TemporaryAccounts,
  temporaryAccounts,
} from '../../support/local-accounts.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const FIRST = { username: 'Mum', displayName: undefined, password: GOOD_PASSWORD };

async function link({ local }: TemporaryAccounts): Promise<string> {
  const made = await local.setup.makeLink();
  if (made === undefined) throw new Error('there is no setup link');
  return made;
}

test('the link makes the first owner, signed in, once', async () => {
  await using accounts = temporaryAccounts();
  const { setup } = accounts.local;
  const made = await link(accounts);
  expect(made).toMatch(/^https:\/\/auth\.example\.test\/setup#[A-Za-z0-9_-]{43}$/);
  const { user, issued } = await setup.complete(made, FIRST, STRANGER);
  expect(user).toMatchObject({ username: 'Mum', role: 'owner' });
  expect((await accounts.base.ledger.list(user.id)).map(({ id }) => id)).toEqual([issued.session.id]);
  expect(setup.isOpen()).toBe(false);
  expect((await refusalOf(setup.complete(made, { ...FIRST, username: 'Dad' }, STRANGER))).kind).toBe(
    'not_found',
  );
  expect(await setup.makeLink()).toBeUndefined();
  expect(await accounts.actions()).toEqual(['user.created', 'setup.completed', 'sign_in']);
});

test('of two submits at once, one makes an owner', async () => {
  await using accounts = temporaryAccounts();
  const made = await link(accounts);
  const results = await Promise.allSettled(
    ['Mum', 'Dad'].map((username) => accounts.local.setup.complete(made, { ...FIRST, username }, STRANGER)),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(accounts.people.store.list()).toHaveLength(1);
});

test('only the secret is good, only the newest, and only for its time', async () => {
  const clock = new ManualClock();
  await using accounts = temporaryAccounts({ clock });
  const { setup } = accounts.local;
  const earlier = await link(accounts);
  const later = await link(accounts);
  for (const typed of [undefined, '', 'x'.repeat(43), earlier, `${later}x`, later.slice(0, -1)]) {
    expect((await refusalOf(setup.complete(typed, FIRST, STRANGER))).code).toBe('link_not_good');
  }
  await clock.advance(accounts.base.config.sign_in.setup_lifetime);
  expect((await refusalOf(setup.complete(later, FIRST, STRANGER))).code).toBe('link_not_good');
  expect(accounts.people.store.count()).toBe(0);
});

test('a refused submit does not use the link up', async () => {
  await using accounts = temporaryAccounts();
  const { setup } = accounts.local;
  const made = await link(accounts);
  expect((await refusalOf(setup.complete(made, { ...FIRST, password: 'short' }, STRANGER))).code).toBe(
    'bad_password',
  );
  expect((await refusalOf(setup.complete(made, { ...FIRST, username: 'a b' }, STRANGER))).code).toBe(
    'bad_username',
  );
  expect((await setup.complete(made, FIRST, STRANGER)).user.role).toBe('owner');
});

test('nobody sets up again, even when every user was removed', async () => {
  await using accounts = temporaryAccounts();
  const only = await accounts.addLocal('only');
  await accounts.people.acts.remove(only.id, {});
  expect(accounts.people.store.count()).toBe(0);
  expect(accounts.local.setup.isOpen()).toBe(false);
  expect(await accounts.local.setup.makeLink()).toBeUndefined();
  expect(() => accounts.local.setup.requireOpen()).toThrow();
});

test('the secret is stored as its hash alone', async () => {
  await using accounts = temporaryAccounts();
  const secret = readSecret(await link(accounts)) ?? '';
  const dump = JSON.stringify(accounts.base.db.reader.$client.query('SELECT * FROM appliance_state').all());
  expect(secret).toHaveLength(43);
  expect(dump).not.toContain(secret);
});

describe('what was typed for a secret', () => {
  const SECRET = 'a'.repeat(42).concat('_');
  test.each([SECRET, ` ${SECRET}\n`, `#${SECRET}`, `${TEST_ORIGIN}/setup#${SECRET}`])(
    '%j holds one',
    (typed) => {
      expect(readSecret(typed)).toBe(SECRET);
    },
  );

  test.each([
    undefined,
    '',
    '#',
    SECRET.slice(1),
    `${SECRET}a`,
    `${SECRET}#`,
    `${SECRET} ${SECRET}`,
    `${SECRET}<b>`,
  ])('%j holds none', (typed) => {
    expect(readSecret(typed)).toBeUndefined();
  });
});

test('of several processes that start together, one makes the link', async () => {
  const clock = new ManualClock();
  await using accounts = temporaryAccounts({ clock });
  const { setup } = accounts.local;
  const first = await link(accounts);
  const sparingMs = 10_000;
  await clock.advance(9_999);
  expect(await setup.makeLink({ sparingMs })).toBeUndefined();
  setup.requireSecret(readSecret(first) === undefined ? undefined : first);
  await clock.advance(1);
  const second = await setup.makeLink({ sparingMs });
  expect(second).toBeDefined();
  expect(() => setup.requireSecret(first)).toThrow();
});
