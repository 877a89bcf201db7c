import { describe, expect, test } from 'bun:test';
import type { SessionId } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import {
  GOOD_PASSWORD,
  OTHER_PASSWORD,
  STRANGER,
  type TemporaryAccounts,
  temporaryAccounts,
} from '../../support/local-accounts.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const GUEST = { username: 'guest', displayName: 'A Guest', password: OTHER_PASSWORD };

async function owner(
  accounts: TemporaryAccounts,
  username = 'mum',
): Promise<{ userId: UserId; sessionId: SessionId }> {
  const user = await accounts.addLocal(username, 'owner');
  const { session } = await accounts.base.signIn(user.id);
  return { userId: user.id, sessionId: session.id };
}

describe('an invitation', () => {
  test('makes one user of the role it names', async () => {
    await using accounts = temporaryAccounts();
    const { invitations } = accounts.local;
    const { link } = await invitations.invite('member', await owner(accounts));
    expect(link).toMatch(/\/invitation#[A-Za-z0-9_-]{43}$/);
    const { user } = await invitations.accept(link, GUEST, STRANGER);
    expect(user).toMatchObject({ username: 'guest', displayName: 'A Guest', role: 'member' });
    expect((await accounts.local.signIn('guest', OTHER_PASSWORD, STRANGER)).user.id).toBe(user.id);
    expect((await refusalOf(invitations.accept(link, { ...GUEST, username: 'two' }, STRANGER))).code).toBe(
      'link_not_good',
    );
    expect(await invitations.list()).toEqual([]);
    expect(await accounts.actions()).toContainValues(['invitation.created', 'invitation.used']);
  });

  test('used twice at once lets one in', async () => {
    await using accounts = temporaryAccounts();
    const { invitations } = accounts.local;
    const { link } = await invitations.invite('member', {});
    const results = await Promise.allSettled(
      ['one', 'two'].map((username) => invitations.accept(link, { ...GUEST, username }, STRANGER)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(accounts.people.store.list()).toHaveLength(1);
  });

  test('with a name that is taken, or kept for owners, is still good for another', async () => {
    await using accounts = temporaryAccounts();
    const { invitations } = accounts.local;
    const { link } = await invitations.invite('member', await owner(accounts));
    const codes = [];
    for (const username of ['MUM', 'root', '<script>', '']) {
      codes.push((await refusalOf(invitations.accept(link, { ...GUEST, username }, STRANGER))).code);
    }
    expect(codes).toEqual(['username_taken', 'reserved_username', 'bad_username', 'bad_username']);
    expect((await invitations.accept(link, GUEST, STRANGER)).user.username).toBe('guest');
  });

  test('runs out', async () => {
    const clock = new ManualClock();
    await using accounts = temporaryAccounts({ clock });
    const { link, expiresAt } = await accounts.local.invitations.invite('member', {});
    expect(expiresAt - clock.now()).toBe(7 * 86_400_000);
    await clock.advance(7 * 86_400_000);
    expect((await refusalOf(accounts.local.invitations.accept(link, GUEST, STRANGER))).code).toBe(
      'link_not_good',
    );
    await accounts.base.db.write((tx) => accounts.local.reapTask.deleteExpired(tx, clock.now(), 10));
    expect(accounts.base.db.reader.$client.query('SELECT * FROM invitations').all()).toEqual([]);
  });

  test('is made by owners with a live session alone', async () => {
    await using accounts = temporaryAccounts();
    const { invitations } = accounts.local;
    const by = await owner(accounts);
    const member = await accounts.addLocal('member');
    expect((await refusalOf(invitations.invite('owner', { userId: member.id }))).code).toBe('owner_required');
    await accounts.base.ledger.end(by.sessionId, { reason: 'ended_by_user' });
    expect((await refusalOf(invitations.invite('member', by))).code).toBe('session_ended');
  });

  test.each([
    ['ended_by_user', false],
    ['ended_by_owner', false],
    ['signed_out', true],
    ['provider_logout', true],
    ['replaced', true],
  ] as const)('whose session was %s is good afterwards: %p', async (reason, isGood) => {
    await using accounts = temporaryAccounts();
    const by = await owner(accounts);
    const { link } = await accounts.local.invitations.invite('member', by);
    await accounts.base.ledger.end(by.sessionId, { reason });
    expect(await accounts.local.invitations.list()).toHaveLength(isGood ? 1 : 0);
    const accepted = accounts.local.invitations.accept(link, GUEST, STRANGER);
    if (isGood) expect((await accepted).user.username).toBe('guest');
    else expect((await refusalOf(accepted)).code).toBe('link_not_good');
    expect((await accounts.actions()).includes('invitation.voided')).toBe(!isGood);
  });

  test('of a session that signed out falls with “everywhere” all the same', async () => {
    const clock = new ManualClock();
    await using accounts = temporaryAccounts({ clock });
    const by = await owner(accounts);
    const { link } = await accounts.local.invitations.invite('owner', by);
    await accounts.base.ledger.end(by.sessionId, { reason: 'signed_out' });
    await clock.advance(1_000);
    await accounts.base.ledger.endAll(by.userId, { reason: 'everywhere' });
    expect((await refusalOf(accounts.local.invitations.accept(link, GUEST, STRANGER))).code).toBe(
      'link_not_good',
    );
  });

  test('survives “all others” of the session that made it', async () => {
    const clock = new ManualClock();
    await using accounts = temporaryAccounts({ clock });
    const by = await owner(accounts);
    const { link } = await accounts.local.invitations.invite('member', by);
    await clock.advance(1_000);
    await accounts.base.ledger.endAll(by.userId, { reason: 'everywhere', except: by.sessionId });
    expect((await accounts.local.invitations.accept(link, GUEST, STRANGER)).user.username).toBe('guest');
  });

  test('of somebody who is no owner any more is no good', async () => {
    await using accounts = temporaryAccounts();
    const by = await owner(accounts);
    await owner(accounts, 'dad');
    const { link } = await accounts.local.invitations.invite('owner', by);
    await accounts.people.acts.setRole(by.userId, 'member', {});
    expect((await refusalOf(accounts.local.invitations.accept(link, GUEST, STRANGER))).code).toBe(
      'link_not_good',
    );
  });

  test('can be voided by an owner', async () => {
    await using accounts = temporaryAccounts();
    const by = await owner(accounts);
    const { link, id } = await accounts.local.invitations.invite('member', by);
    await accounts.local.invitations.void(id, by);
    expect((await refusalOf(accounts.local.invitations.accept(link, GUEST, STRANGER))).code).toBe(
      'link_not_good',
    );
    expect((await refusalOf(accounts.local.invitations.void(id, by))).code).toBe('unknown_invitation');
  });
});

describe('a link for a new password', () => {
  test('ends every session from before, and signs in', async () => {
    await using accounts = temporaryAccounts();
    const alice = await accounts.addLocal('alice');
    const before = await accounts.base.signIn(alice.id);
    const { link } = await accounts.local.invitations.issueReset(alice.id, {});
    expect(link).toContain('/reset-password#');
    const { issued, user } = await accounts.local.passwords.reset(
      { link, password: OTHER_PASSWORD },
      STRANGER,
    );
    expect(user.id).toBe(alice.id);
    expect((await accounts.base.ledger.list(alice.id)).map(({ id }) => id)).toEqual([issued.session.id]);
    expect((await accounts.base.ledger.find(before.session.id))?.status).toBe('revoked');
    const [audience] = issued.session.audience;
    if (audience === undefined) throw new Error('a browser session has an audience');
    expect((await accounts.base.ledger.authenticate(issued.token, 'cookie', audience)).ok).toBe(true);
    expect((await refusalOf(accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER))).code).toBe(
      'wrong_credentials',
    );
    expect((await accounts.local.signIn('alice', OTHER_PASSWORD, STRANGER)).user.id).toBe(alice.id);
    const again = accounts.local.passwords.reset({ link, password: GOOD_PASSWORD }, STRANGER);
    expect((await refusalOf(again)).code).toBe('link_not_good');
  });

  test('is good once, voids the one before it, and is no invitation', async () => {
    await using accounts = temporaryAccounts();
    const { invitations, passwords } = accounts.local;
    const alice = await accounts.addLocal('alice');
    const first = await invitations.issueReset(alice.id, {});
    const second = await invitations.issueReset(alice.id, {});
    expect(
      (await refusalOf(passwords.reset({ link: first.link, password: OTHER_PASSWORD }, STRANGER))).code,
    ).toBe('link_not_good');
    expect((await refusalOf(invitations.accept(second.link, GUEST, STRANGER))).code).toBe('link_not_good');
    const both = await Promise.allSettled(
      [OTHER_PASSWORD, GOOD_PASSWORD].map((password) =>
        passwords.reset({ link: second.link, password }, STRANGER),
      ),
    );
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('gives a password to somebody who had none, and none to somebody disabled', async () => {
    await using accounts = temporaryAccounts();
    const { invitations, passwords } = accounts.local;
    const id = await accounts.base.addUser('provider-only');
    const { link } = await invitations.issueReset(id, {});
    const weak = passwords.reset({ link, password: 'provider-only-1' }, STRANGER);
    expect((await refusalOf(weak)).code).toBe('bad_password');
    await accounts.people.acts.disable(id, {});
    const disabled = passwords.reset({ link, password: OTHER_PASSWORD }, STRANGER);
    expect((await refusalOf(disabled)).code).toBe('link_not_good');
    await accounts.people.acts.enable(id, {});
    const fresh = await invitations.issueReset(id, {});
    expect((await passwords.reset({ link: fresh.link, password: OTHER_PASSWORD }, STRANGER)).user.id).toBe(
      id,
    );
  });
});

describe('changing one’s password', () => {
  async function signedIn(accounts: TemporaryAccounts) {
    const user = await accounts.addLocal('alice');
    const { session } = await accounts.base.signIn(user.id);
    return { user, session };
  }

  test('ends the other sessions and keeps this one', async () => {
    await using accounts = temporaryAccounts();
    const caller = await signedIn(accounts);
    await accounts.base.signIn(caller.user.id);
    await accounts.local.passwords.change(caller, { old: GOOD_PASSWORD, new: OTHER_PASSWORD }, STRANGER);
    expect((await accounts.base.ledger.list(caller.user.id)).map(({ id }) => id)).toEqual([
      caller.session.id,
    ]);
    expect((await accounts.local.signIn('alice', OTHER_PASSWORD, STRANGER)).user.id).toBe(caller.user.id);
    expect(await accounts.actions()).toContain('user.password_changed');
  });

  test('needs the old one, a good new one, and has a limit', async () => {
    await using accounts = temporaryAccounts();
    const caller = await signedIn(accounts);
    const change = (old: string, next: string) =>
      refusalOf(accounts.local.passwords.change(caller, { old, new: next }, STRANGER));
    expect((await change(GOOD_PASSWORD, 'short')).code).toBe('bad_password');
    for (let index = 0; index < 10; index++) {
      expect((await change('not the old one', OTHER_PASSWORD)).code).toBe('wrong_password');
    }
    expect((await change(GOOD_PASSWORD, OTHER_PASSWORD)).code).toBe('too_many_attempts');
    expect((await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER)).user.id).toBe(caller.user.id);
  });

  test('twice at once changes it once', async () => {
    await using accounts = temporaryAccounts();
    const caller = await signedIn(accounts);
    const results = await Promise.allSettled(
      [OTHER_PASSWORD, 'pewter lagoon thimble acorn'].map((next) =>
        accounts.local.passwords.change(caller, { old: GOOD_PASSWORD, new: next }, STRANGER),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('in a session that ended meanwhile changes nothing', async () => {
    await using accounts = temporaryAccounts();
    const caller = await signedIn(accounts);
    const changing = accounts.local.passwords.change(
      caller,
      { old: GOOD_PASSWORD, new: OTHER_PASSWORD },
      STRANGER,
    );
    await accounts.base.ledger.end(caller.session.id, { reason: 'ended_by_user' });
    expect((await refusalOf(changing)).code).toBe('session_ended');
    expect((await accounts.local.signIn('alice', GOOD_PASSWORD, STRANGER)).user.id).toBe(caller.user.id);
  });
});
