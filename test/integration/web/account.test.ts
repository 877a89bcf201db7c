import { describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { GOOD_PASSWORD, OTHER_PASSWORD } from '../../support/local-accounts.ts';
import { pairSiteDevice } from '../../support/site-device.ts';
import { APP_HOST, type WebSite, webSite } from '../../support/web-site.ts';

const PHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1';

async function isSignedIn(site: WebSite, browser: Browser): Promise<boolean> {
  return (await site.get(browser, '/account/sessions')).url.pathname === '/account/sessions';
}

test.each([
  '/account/sessions',
  '/account/tokens',
  '/account/links',
  '/account/password',
  '/admin/users',
  '/admin/audit',
])('%s is for who is signed in, and comes back after sign-in', async (path) => {
  await using site = await webSite();
  await site.accounts.addLocal('alice');
  const visit = await site.get(new Browser(), path);
  expect(visit.url.pathname).toBe('/sign-in');
  expect(visit.text).toContain(`value="${path}"`);
});

describe('my sessions', () => {
  test('show device, address, and what hangs on them', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('alice');
    await site.signIn(new Browser({ 'user-agent': PHONE }), 'alice');
    const { ledger, db } = site.accounts.base;
    const phone = (await ledger.list(user.id)).find(({ origin }) => origin.userAgent === PHONE);
    if (phone === undefined) throw new Error('the phone has no session');
    await db.write((tx) =>
      ledger.openChildSession(tx, { parentId: phone.id, host: APP_HOST, origin: phone.origin }),
    );
    const { text } = await site.get(browser, '/account/sessions');
    expect(text).toContain('Firefox on Linux');
    expect(text).toContain('This browser');
    expect(text).toContain('127.0.0.1');
    expect(text.indexOf('Safari on iPhone')).toBeGreaterThan(0);
    expect(text.indexOf(APP_HOST)).toBeGreaterThan(text.indexOf('Safari on iPhone'));
  });

  test('end one by one', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('alice');
    const other = new Browser();
    await site.signIn(other, 'alice');
    const [newest] = await site.accounts.base.ledger.list(user.id);
    const visit = await site.post(browser, '/account/sessions/end', { id: newest?.id ?? '' });
    expect(visit.text).toContain('The session has ended.');
    expect(await isSignedIn(site, other)).toBe(false);
    expect(await isSignedIn(site, browser)).toBe(true);
  });

  test('end all others, or everywhere', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('alice');
    const other = new Browser();
    await site.signIn(other, 'alice');
    await site.post(browser, '/account/sessions/end-others');
    expect([await isSignedIn(site, browser), await isSignedIn(site, other)]).toEqual([true, false]);
    await site.signIn(other, 'alice');
    const left = await site.post(browser, '/account/sessions/end-all');
    expect(left.url.pathname).toBe('/signed-out');
    expect([await isSignedIn(site, browser), await isSignedIn(site, other)]).toEqual([false, false]);
  });

  test('end with devices when that is ticked, and without them otherwise', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('alice');
    const ticks = async () =>
      (await site.get(browser, '/account/sessions')).text.split('name="devices"').length - 1;
    expect(await ticks()).toBe(0);
    const where = { devices: site.devices, origin: site.origin.origin, clock: site.clock };
    const isPaired = () => site.devices.devices.list(user.id).length > 0;
    await pairSiteDevice(where, user.id);
    expect(await ticks()).toBe(2);
    await site.post(browser, '/account/sessions/end-others');
    expect(isPaired()).toBe(true);
    await site.post(browser, '/account/sessions/end-others', { devices: 'on' });
    expect([isPaired(), await isSignedIn(site, browser)]).toEqual([false, true]);
    await pairSiteDevice(where, user.id);
    await site.post(browser, '/account/sessions/end-all');
    expect(isPaired()).toBe(true);
    await site.signIn(browser, 'alice');
    await site.post(browser, '/account/sessions/end-all', { devices: 'on' });
    expect(isPaired()).toBe(false);
  });

  test('of somebody else are out of reach', async () => {
    await using site = await webSite();
    const alice = await site.signedIn('alice');
    const mallory = await site.signedIn('mallory');
    const [target] = await site.accounts.base.ledger.list(alice.user.id);
    for (const id of [target?.id ?? '', 'ses_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'nonsense', '']) {
      expect((await site.post(mallory.browser, '/account/sessions/end', { id })).response.status).toBe(404);
    }
    expect(await isSignedIn(site, alice.browser)).toBe(true);
  });
});

describe('my tokens', () => {
  const TOKEN = {
    label: 'backup',
    [`host ${APP_HOST}`]: 'on',
    'scope sessions:read': 'on',
    expires_in: '86400',
  };

  test('are shown once, listed without their secret, and revoked', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('alice');
    const made = await site.post(browser, '/account/tokens', TOKEN);
    expect(made.response.headers.get('cache-control')).toBe('no-store');
    const secret = /<textarea[^>]*>([^<]+)</.exec(made.text)?.[1] ?? '';
    expect(secret.length).toBeGreaterThan(40);
    const listed = await site.get(browser, '/account/tokens');
    expect(listed.text).toContain('backup');
    expect(listed.text).not.toContain(secret);
    const token = (await site.accounts.base.ledger.list(user.id)).find(({ kind }) => kind === 'grant');
    expect(token?.audience.toSorted()).toEqual([`host:${APP_HOST}`, 'scope:sessions:read'] as never);
    const revoked = await site.post(browser, '/account/tokens/revoke', { id: token?.id ?? '' });
    expect(revoked.text).toContain('The token is revoked');
    expect((await site.accounts.base.ledger.find(token?.id ?? ('' as never)))?.status).toBe('revoked');
  });

  test('that open nothing are refused, and what was chosen stays chosen', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('alice');
    const chosen = { label: 'back"up', [`host ${APP_HOST}`]: 'on', expires_in: '86400' };
    const { response, text } = await site.post(browser, '/account/tokens', {
      ...chosen,
      expires_in: '86401000',
    });
    expect(response.status).toBe(422);
    expect(text).toContain('value="back&quot;up"');
    expect(text).toContain(`name="host ${APP_HOST}" checked`);
    const none = await site.post(browser, '/account/tokens', { label: 'x\u0000y', expires_in: '86400' });
    expect(none.text).not.toContain('x\u0000y');
    expect(none.text).not.toContain(' checked');
    expect(none.text).toContain('value="86400" selected');
  });

  test('reach services of devices, and say which', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('alice');
    const made = await site.post(browser, '/account/tokens', {
      label: 'x',
      reach: ' pi/web,  PI/ssh dev_a/web',
      expires_in: '60',
    });
    expect(made.response.status).toBe(200);
    const { text } = await site.get(browser, '/account/tokens');
    expect(text).toContain('web of pi<br>ssh of pi<');
    const again = await site.post(browser, '/account/tokens', { label: '', reach: 'pi/web "><b>/x' });
    expect(again.text).toContain('value="pi/web b/x"');
  });

  test.each([
    [{ label: '' }, 'label'],
    [{ label: 'a\u0000b' }, 'label'],
    [{ label: 'x'.repeat(101) }, 'label'],
    [{ label: 'x', 'scope sessions:read': 'on', expires_in: '0' }, 'expires_in'],
    [{ label: 'x', 'scope sessions:read': 'on', expires_in: 'soon' }, 'expires_in'],
    [{ label: 'x', 'scope sessions:read': 'on', expires_in: '99999999999' }, 'lives at most'],
    [{ label: 'x', expires_in: '60' }, 'at least one host, scope or device'],
    [{ label: 'x', expires_in: '60', reach: 'elsewhere/web' }, 'none that you may reach'],
    [{ label: 'x', expires_in: '60', reach: 'pi' }, 'reach.0.service'],
    [{ label: 'x', expires_in: '60', reach: 'pi/web/admin' }, 'reach.0.service'],
    [{ label: 'x', expires_in: '60', reach: '/web' }, 'none that you may reach'],
    [{ label: 'x', expires_in: '60', 'host evil.example': 'on', 'scope everything': 'on' }, 'at least one'],
  ])('that cannot be made are refused: %j', async (fields, why) => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('alice');
    const visit = await site.post(browser, '/account/tokens', fields);
    expect(visit.response.status).toBe(422);
    expect(visit.text).toContain(why);
    expect(await site.accounts.base.ledger.list(user.id)).toHaveLength(1);
  });

  test('show a label as text, whatever it is', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('alice');
    const label = `<img src=x onerror="alert('1')">`;
    await site.post(browser, '/account/tokens', { ...TOKEN, label });
    for (const path of ['/account/tokens', '/account/sessions']) {
      const { text } = await site.get(browser, path);
      expect(text).toContain('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;');
      expect(text).not.toContain('<img');
    }
  });
});

describe('my password', () => {
  const change = (site: WebSite, browser: Browser, old: string, next: string, again = next) =>
    site.post(browser, '/account/password', {
      old_password: old,
      new_password: next,
      new_password_again: again,
    });

  test('changes with the old one, and ends the other sessions', async () => {
    await using site = await webSite();
    const { browser } = await site.signedIn('alice');
    const other = new Browser();
    await site.signIn(other, 'alice');
    expect((await change(site, browser, 'not the old one', OTHER_PASSWORD)).response.status).toBe(403);
    expect((await change(site, browser, GOOD_PASSWORD, OTHER_PASSWORD, 'slip')).response.status).toBe(422);
    const done = await change(site, browser, GOOD_PASSWORD, OTHER_PASSWORD);
    expect(done.text).toContain('Your password is changed');
    expect([await isSignedIn(site, browser), await isSignedIn(site, other)]).toEqual([true, false]);
  });

  test('is not here for people from a provider', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('alice');
    site.accounts.base.db.reader.$client.run('DELETE FROM local_credentials WHERE user_id = ?', [user.id]);
    const { text } = await site.get(browser, '/account/password');
    expect(text).toContain('through a provider');
    expect(text).not.toContain('<input');
    expect((await change(site, browser, GOOD_PASSWORD, OTHER_PASSWORD)).response.status).toBe(403);
  });
});
