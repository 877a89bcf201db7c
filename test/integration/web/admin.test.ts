import { describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { pairSiteDevice } from '../../support/site-device.ts';
import { webSite } from '../../support/web-site.ts';

const linkOn = (text: string) => /<textarea[^>]*>([^<]+)</.exec(text)?.[1] ?? '';

test('members see nothing of it, and change nothing', async () => {
  await using site = await webSite();
  await site.accounts.addLocal('keeper', 'owner');
  const { browser, user } = await site.signedIn('member');
  for (const path of ['/admin/users', `/admin/users/${user.id}`, '/admin/audit']) {
    expect((await site.get(browser, path)).response.status).toBe(403);
  }
  const acts = ['role', 'disable', 'enable', 'remove', 'reset-password', 'end-session', 'end-sessions'];
  const paths = [
    ...acts.map((act) => `/admin/users/${user.id}/${act}`),
    '/admin/users/invite',
    '/admin/users/void-invitation',
  ];
  for (const path of paths) {
    const visit = await site.post(browser, path, { role: 'owner', sure: 'on' });
    expect([path, visit.response.status]).toEqual([path, 403]);
  }
  expect(site.accounts.people.store.find(user.id)).toMatchObject({ role: 'member', status: 'active' });
  expect(await site.accounts.local.invitations.list()).toEqual([]);
});

describe('an owner', () => {
  test('invites, and voids an invitation', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('mum', 'owner');
    const made = await site.post(browser, '/admin/users/invite', { role: 'member' });
    const link = linkOn(made.text);
    expect(made.response.headers.get('cache-control')).toBe('no-store');
    expect(link).toStartWith(`${site.origin.origin}/invitation#`);
    const listed = await site.get(browser, '/admin/users');
    expect(listed.text).toContain('Open invitations');
    expect(listed.text).not.toContain(link.split('#')[1] ?? '');
    const [invitation] = await site.accounts.local.invitations.list();
    const voided = await site.post(browser, '/admin/users/void-invitation', { id: invitation?.id ?? '' });
    expect(voided.text).toContain('The invitation is void');
    const late = { link, username: 'kid', new_password: GOOD_PASSWORD, new_password_again: GOOD_PASSWORD };
    expect((await site.post(new Browser(), '/invitation', late)).response.status).toBe(410);
    expect((await site.post(browser, '/admin/users/invite', { role: 'emperor' })).response.status).toBe(422);
  });

  test('disables and enables somebody, whose sessions end', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('mum', 'owner');
    const kid = await site.signedIn('kid');
    const page = `/admin/users/${kid.user.id}`;
    expect((await site.get(browser, page)).text).toContain('Firefox on Linux');
    expect((await site.post(browser, `${page}/disable`)).text).toContain('The account is disabled');
    expect((await site.get(kid.browser, '/account/sessions')).url.pathname).toBe('/sign-in');
    expect((await site.signIn(kid.browser, 'kid')).response.status).toBe(401);
    expect((await site.post(browser, `${page}/enable`)).text).toContain('enabled again');
    expect((await site.signIn(kid.browser, 'kid')).text).toContain('Hello, kid');
  });

  test('ends one session of somebody, or all', async () => {
    await using site = await webSite();
    const { browser, user: mum } = await site.signedIn('mum', 'owner');
    const kid = await site.signedIn('kid');
    const page = `/admin/users/${kid.user.id}`;
    const { ledger } = site.accounts.base;
    const [own] = await ledger.list(mum.id);
    expect((await site.post(browser, `${page}/end-session`, { id: own?.id ?? '' })).response.status).toBe(
      404,
    );
    const [session] = await ledger.list(kid.user.id);
    await site.post(browser, `${page}/end-session`, { id: session?.id ?? '' });
    expect(await ledger.list(kid.user.id)).toEqual([]);
    await site.signIn(kid.browser, 'kid');
    await site.post(browser, `${page}/end-sessions`);
    expect(await ledger.list(kid.user.id)).toEqual([]);
    expect(await ledger.list(mum.id)).toHaveLength(1);
  });

  test('unpairs devices of somebody with all sessions, or with the account, when that is ticked', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('mum', 'owner');
    const kid = await site.signedIn('kid');
    const page = `/admin/users/${kid.user.id}`;
    const where = { devices: site.devices, origin: site.origin.origin, clock: site.clock };
    const isPaired = () => site.devices.devices.list(kid.user.id).length > 0;
    expect((await site.get(browser, page)).text).not.toContain('name="devices"');
    for (const act of ['end-sessions', 'disable']) {
      await pairSiteDevice(where, kid.user.id);
      expect((await site.get(browser, page)).text).toContain('name="devices"');
      await site.post(browser, `${page}/${act}`);
      expect(isPaired()).toBe(true);
      await site.post(browser, `${page}/${act}`, { devices: 'on' });
      expect(isPaired()).toBe(false);
    }
  });

  test('removes somebody after ticking the box', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('mum', 'owner');
    const kid = await site.signedIn('kid');
    const page = `/admin/users/${kid.user.id}`;
    expect((await site.post(browser, `${page}/remove`)).response.status).toBe(422);
    expect((await site.post(browser, `${page}/remove`, { sure: 'on' })).text).toContain(
      'The account is removed',
    );
    expect((await site.get(browser, page)).response.status).toBe(404);
    expect((await site.get(kid.browser, '/account/sessions')).url.pathname).toBe('/sign-in');
  });

  test('gives somebody a link for a new password, and another role', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('mum', 'owner');
    const kid = await site.accounts.addLocal('kid');
    const page = `/admin/users/${kid.id}`;
    const link = linkOn((await site.post(browser, `${page}/reset-password`)).text);
    expect(link).toStartWith(`${site.origin.origin}/reset-password#`);
    expect((await site.post(browser, `${page}/role`, { role: 'owner' })).text).toContain(
      'The role is changed',
    );
    expect(site.accounts.people.store.find(kid.id)?.role).toBe('owner');
  });

  test.each(['disable', 'remove', 'role'])('who is the last one stays: %s', async (act) => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('mum', 'owner');
    const visit = await site.post(browser, `/admin/users/${user.id}/${act}`, { sure: 'on', role: 'member' });
    expect(visit.response.status).toBe(409);
    expect(visit.text).toContain('last active owner');
    expect(site.accounts.people.store.find(user.id)).toMatchObject({ role: 'owner', status: 'active' });
  });

  test('reads what happened, page by page and by person', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('mum', 'owner');
    const { user } = await site.signedIn('kid');
    for (let index = 0; index < 30; index++) {
      await site.accounts.people.acts.setRole(user.id, index % 2 === 0 ? 'owner' : 'member', {});
    }
    const first = await site.get(browser, '/admin/audit');
    expect(first.text).toContain('user.role_changed');
    const all = await site.get(browser, `/admin/audit?user=${user.id}&limit=200`);
    expect(all.text).toContain('About <strong>kid</strong> alone');
    const small = await site.get(browser, '/admin/audit?limit=5');
    const older = /href="(\/admin\/audit\?before=\d+)"/.exec(small.text)?.[1] ?? '';
    expect((await site.get(browser, older)).response.status).toBe(200);
    for (const query of ['?before=x', '?limit=0', '?user=<b>', '?x=1', '?limit=1&limit=2']) {
      expect((await site.get(browser, `/admin/audit${query}`)).response.status).toBe(400);
    }
  });
});

test('names from a provider are text on every page', async () => {
  await using site = await webSite();
  const { browser } = await site.signedIn('mum', 'owner');
  const evil = `"><script>alert(1)</script><b x='`;
  const user = await site.accounts.base.db.write((tx) =>
    site.accounts.people.acts.signInByIdentity(
      tx,
      {
        issuer: 'https://id.example',
        subject: evil,
        provider: evil,
        preferredUsername: evil,
        displayName: evil,
        verifiedEmail: 'a&b@example.org',
        groups: [evil],
      },
      { now: Date.UTC(2030, 0, 1) },
    ),
  );
  for (const path of ['/admin/users', `/admin/users/${user.id}`, '/admin/audit']) {
    const { text } = await site.get(browser, path);
    expect(text).not.toContain('<script>alert');
    expect(text).not.toContain("<b x='");
  }
  expect((await site.get(browser, `/admin/users/${user.id}`)).text).toContain('&quot;&gt;&lt;script&gt;');
});
