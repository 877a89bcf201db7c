import { describe, expect, test } from 'bun:test';
import type { IdentitySignInOptions } from '../../../src/users/identity-sign-in.ts';
import type { IdentityClaims, User } from '../../../src/users/model.ts';
import { type TemporaryAccounts, temporaryAccounts } from '../../support/local-accounts.ts';
import { refusalOf } from '../../support/refusal.ts';

const NOW = Date.UTC(2030, 0, 1);

function claims(subject: string, more: Partial<IdentityClaims> = {}): IdentityClaims {
  return {
    issuer: 'https://id.example',
    subject,
    provider: 'home',
    preferredUsername: undefined,
    displayName: undefined,
    verifiedEmail: undefined,
    groups: [],
    ...more,
  };
}

function signIn(
  { base, people }: TemporaryAccounts,
  who: IdentityClaims,
  options: Partial<IdentitySignInOptions> = {},
): Promise<User> {
  return base.db.write((tx) => people.acts.signInByIdentity(tx, who, { now: NOW, ...options }));
}

describe('a first sign-in', () => {
  test('makes a person of what the provider tells', async () => {
    await using accounts = temporaryAccounts();
    const user = await signIn(
      accounts,
      claims('s-1', {
        preferredUsername: 'Alice',
        displayName: ' Alice \u0000Liddell ',
        verifiedEmail: 'Alice@Example.org',
        groups: ['family', 'x\ny'],
      }),
      { role: 'member', from: { address: '192.0.2.9' } },
    );
    expect(user).toMatchObject({
      username: 'alice',
      displayName: 'Alice Liddell',
      email: 'Alice@Example.org',
      groups: ['family'],
      role: 'member',
      status: 'active',
      createdAt: NOW,
      lastSignInAt: NOW,
    });
    expect(accounts.people.store.findByIdentity('https://id.example', 's-1')).toEqual(user);
    expect(accounts.people.store.hasEverHadUsers()).toBe(true);
    const [row] = accounts.base.auditStore.list({ limit: 1 });
    expect(row).toMatchObject({ action: 'user.created', subjectUserId: user.id, address: '192.0.2.9' });
  });

  test('gives everybody a username of their own, whatever they call themselves', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('Alice');
    const named = async (subject: string, preferredUsername: string) =>
      (await signIn(accounts, claims(subject, { preferredUsername }))).username;
    expect(await named('s-1', 'alice')).toBe('alice-2');
    expect(await named('s-2', 'ALICE@elsewhere.example')).toBe('alice-3');
    expect(await named('s-3', 'ａｌｉｃｅ')).toBe('alice-4');
    expect(await named('s-4', '李')).toBe('user');
    expect(await named('s-5', '李')).toBe('user-2');
  });

  test('makes nobody an administrator of an app behind us by name alone', async () => {
    await using accounts = temporaryAccounts();
    const member = await signIn(accounts, claims('s-1', { preferredUsername: 'Admin' }), { role: 'member' });
    expect(member.username).toBe('admin-2');
    const owner = await signIn(accounts, claims('s-2', { preferredUsername: 'admin' }), { role: 'owner' });
    expect(owner.username).toBe('admin');
  });

  test('of thirty people with one name leaves thirty names', async () => {
    await using accounts = temporaryAccounts();
    const people = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        signIn(accounts, claims(`s-${index}`, { preferredUsername: 'sam' })),
      ),
    );
    expect(new Set(people.map(({ username }) => username)).size).toBe(30);
  });

  test('of one person, twice at once, makes one', async () => {
    await using accounts = temporaryAccounts();
    const [first, second] = await Promise.all([
      signIn(accounts, claims('s-1')),
      signIn(accounts, claims('s-1')),
    ]);
    expect(first.id).toBe(second.id);
    expect(accounts.people.store.count()).toBe(1);
  });

  test('tells the same subject at two issuers apart', async () => {
    await using accounts = temporaryAccounts();
    const here = await signIn(accounts, claims('s-1'));
    const there = await signIn(accounts, claims('s-1', { issuer: 'https://other.example' }));
    expect(here.id).not.toBe(there.id);
  });
});

describe('a later sign-in', () => {
  test('follows the provider in everything but the username', async () => {
    await using accounts = temporaryAccounts();
    const before = await signIn(
      accounts,
      claims('s-1', { preferredUsername: 'alice', verifiedEmail: 'a@example.org' }),
    );
    await signIn(accounts, claims('s-2', { preferredUsername: 'bob' }));
    const after = await signIn(
      accounts,
      claims('s-1', { preferredUsername: 'bob', displayName: 'Bob', groups: ['admins'] }),
      { now: NOW + 5 },
    );
    expect(after).toMatchObject({ id: before.id, username: 'alice', displayName: 'Bob', groups: ['admins'] });
    expect(after.email).toBeUndefined();
    expect(after.lastSignInAt).toBe(NOW + 5);
    expect(accounts.people.store.find(before.id)).toEqual(after);
  });

  test('reaches what the ledger has in memory', async () => {
    await using accounts = temporaryAccounts();
    const { ledger } = accounts.base;
    const user = await signIn(accounts, claims('s-1', { displayName: 'Before' }));
    const { token, session } = await accounts.base.signIn(user.id);
    const [audience] = session.audience;
    if (audience === undefined) throw new Error('a browser session has an audience');
    expect(await ledger.authenticate(token, 'cookie', audience)).toMatchObject({
      user: { displayName: 'Before' },
    });
    await signIn(accounts, claims('s-1', { displayName: 'After', groups: ['new'] }));
    expect(await ledger.authenticate(token, 'cookie', audience)).toMatchObject({
      user: { displayName: 'After', groups: ['new'] },
    });
  });

  test('of somebody disabled is refused and changes nothing', async () => {
    await using accounts = temporaryAccounts();
    const user = await signIn(accounts, claims('s-1', { displayName: 'Before' }));
    await accounts.people.acts.disable(user.id, {});
    const again = signIn(accounts, claims('s-1', { displayName: 'After' }));
    expect(await refusalOf(again)).toMatchObject({ kind: 'forbidden', code: 'user_disabled' });
    expect(accounts.people.store.find(user.id)?.displayName).toBe('Before');
  });
});

describe('an e-mail address', () => {
  test('of somebody else is left out, in any case, and audited', async () => {
    await using accounts = temporaryAccounts();
    const alice = await signIn(accounts, claims('s-1', { verifiedEmail: 'alice@example.org' }));
    const mallory = await signIn(accounts, claims('s-2', { verifiedEmail: 'ALICE@EXAMPLE.ORG' }));
    expect(mallory.email).toBeUndefined();
    expect(accounts.people.store.find(alice.id)?.email).toBe('alice@example.org');
    const row = accounts.base.auditStore
      .list({ limit: 10 })
      .find(({ action }) => action === 'user.email_taken');
    expect(row).toMatchObject({
      outcome: 'refused',
      subjectUserId: mallory.id,
      detail: { held_by: alice.id },
    });
  });

  test.each(['alice@good.example@evil.example', 'alice@example.org\r\nX: y', 'not an address'])(
    'that is none is left out: %j',
    async (verifiedEmail) => {
      await using accounts = temporaryAccounts();
      expect((await signIn(accounts, claims('s-1', { verifiedEmail }))).email).toBeUndefined();
    },
  );

  test('comes free again when its holder no longer has it', async () => {
    await using accounts = temporaryAccounts();
    await signIn(accounts, claims('s-1', { verifiedEmail: 'shared@example.org' }));
    await signIn(accounts, claims('s-1'));
    const other = await signIn(accounts, claims('s-2', { verifiedEmail: 'shared@example.org' }));
    expect(other.email).toBe('shared@example.org');
  });
});

describe('being an owner', () => {
  test('by a provider’s rule lasts as long as the rule does', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('keeper', 'owner');
    expect((await signIn(accounts, claims('s-1'), { role: 'owner' })).role).toBe('owner');
    expect((await signIn(accounts, claims('s-1'), { role: 'member' })).role).toBe('member');
  });

  test('by a person’s decision is not taken away by a rule', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('keeper', 'owner');
    const user = await signIn(accounts, claims('s-1'), { role: 'member' });
    await accounts.people.acts.setRole(user.id, 'owner', {});
    expect((await signIn(accounts, claims('s-1'), { role: 'member' })).role).toBe('owner');
  });

  test('by invitation neither', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('keeper', 'owner');
    await signIn(accounts, claims('s-1'), { invitedAs: 'owner' });
    expect((await signIn(accounts, claims('s-1'), { role: 'member' })).role).toBe('owner');
  });

  test('stays with the last one, whatever the rule says now', async () => {
    await using accounts = temporaryAccounts();
    await signIn(accounts, claims('s-1'), { role: 'owner' });
    expect((await signIn(accounts, claims('s-1'), { role: 'member' })).role).toBe('owner');
  });

  test.each(['disable', 'remove', 'setRole'] as const)(
    'of the last active owner outlives %s',
    async (act) => {
      await using accounts = temporaryAccounts();
      const owner = await accounts.addLocal('keeper', 'owner');
      const other = await accounts.addLocal('other', 'owner');
      await accounts.people.acts.disable(other.id, {});
      const { acts } = accounts.people;
      const attempt = act === 'setRole' ? acts.setRole(owner.id, 'member', {}) : acts[act](owner.id, {});
      expect(await refusalOf(attempt)).toMatchObject({ kind: 'conflict', code: 'last_owner' });
      expect(accounts.people.store.find(owner.id)).toMatchObject({ role: 'owner', status: 'active' });
    },
  );

  test('stays with one when two owners demote each other at once', async () => {
    await using accounts = temporaryAccounts();
    const a = await accounts.addLocal('a', 'owner');
    const b = await accounts.addLocal('b', 'owner');
    const { acts, store } = accounts.people;
    await Promise.allSettled([
      acts.setRole(b.id, 'member', { userId: a.id }),
      acts.setRole(a.id, 'member', { userId: b.id }),
    ]);
    expect(store.countActiveOwners()).toBe(1);
  });

  test('is needed for what changes other people', async () => {
    await using accounts = temporaryAccounts();
    await accounts.addLocal('keeper', 'owner');
    const member = await accounts.addLocal('member');
    const other = await accounts.addLocal('other');
    const { acts } = accounts.people;
    const by = { userId: member.id };
    for (const act of [
      () => acts.disable(other.id, by),
      () => acts.remove(other.id, by),
      () => acts.setRole(member.id, 'owner', by),
    ]) {
      expect(await refusalOf(act())).toMatchObject({ kind: 'forbidden', code: 'owner_required' });
    }
    expect(accounts.people.store.find(other.id)?.status).toBe('active');
  });
});

describe('what an act ends', () => {
  test('disabling: sessions, tokens and invitations, until enabled again', async () => {
    await using accounts = temporaryAccounts();
    const { people, local, base } = accounts;
    const keeper = await accounts.addLocal('keeper', 'owner');
    const owner = await accounts.addLocal('owner', 'owner');
    const { session } = await base.signIn(owner.id);
    const invitation = await local.invitations.invite('member', { userId: owner.id, sessionId: session.id });
    await people.acts.disable(owner.id, { userId: keeper.id });
    expect(await base.ledger.list(owner.id)).toEqual([]);
    expect(await refusalOf(local.invitations.find(invitation.link, 'invite'))).toMatchObject({
      code: 'link_not_good',
    });
    expect(await refusalOf(base.signIn(owner.id))).toMatchObject({ code: 'user_disabled' });
    await people.acts.enable(owner.id, { userId: keeper.id });
    expect((await base.signIn(owner.id)).session.userId).toBe(owner.id);
    expect(await accounts.actions()).toContainValues([
      'user.disabled',
      'user.enabled',
      'sessions.revoked_everywhere',
    ]);
  });

  test('removing: everything, but the username stays taken for people from providers', async () => {
    await using accounts = temporaryAccounts();
    const { people, base } = accounts;
    await accounts.addLocal('keeper', 'owner');
    const first = await signIn(
      accounts,
      claims('s-1', { preferredUsername: 'kim', verifiedEmail: 'kim@example.org' }),
    );
    const { session, token } = await base.signIn(first.id);
    await people.acts.remove(first.id, {});
    const [audience] = session.audience;
    if (audience === undefined) throw new Error('a browser session has an audience');
    expect((await base.ledger.authenticate(token, 'cookie', audience)).ok).toBe(false);
    expect(people.store.find(first.id)).toBeUndefined();
    expect(people.store.findByIdentity('https://id.example', 's-1')).toBeUndefined();

    const second = await signIn(
      accounts,
      claims('s-2', { preferredUsername: 'kim', verifiedEmail: 'kim@example.org' }),
    );
    expect(second).toMatchObject({ username: 'kim-2', email: 'kim@example.org' });
    expect((await accounts.addLocal('Kim')).username).toBe('Kim');
  });

  test('disabling that the disk refuses ends the sessions here all the same', async () => {
    await using accounts = temporaryAccounts();
    const { base, people } = accounts;
    const user = await accounts.addLocal('alice');
    const { token, session } = await base.signIn(user.id);
    const [audience] = session.audience;
    if (audience === undefined) throw new Error('a browser session has an audience');
    base.db.reader.$client.run('PRAGMA query_only = ON');
    expect((await refusalOf(people.acts.disable(user.id, {}))).kind).toBe('unavailable');
    expect((await base.ledger.authenticate(token, 'cookie', audience)).ok).toBe(false);
    base.db.reader.$client.run('PRAGMA query_only = OFF');
    expect((await base.ledger.authenticate(token, 'cookie', audience)).ok).toBe(false);
  });

  test('unknown people are not found', async () => {
    await using accounts = temporaryAccounts();
    const user = await accounts.addLocal('gone');
    await accounts.people.acts.remove(user.id, {});
    const { acts } = accounts.people;
    for (const act of [
      () => acts.disable(user.id, {}),
      () => acts.enable(user.id, {}),
      () => acts.remove(user.id, {}),
    ]) {
      expect(await refusalOf(act())).toMatchObject({ kind: 'not_found', code: 'unknown_user' });
    }
  });
});
