import { describe, expect, test } from 'bun:test';
import { cookieName } from '../../../src/http/cookies.ts';
import { Browser } from '../../support/browser.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

/** Everything that takes a form, with what a good one holds. */
const FORMS: readonly (readonly [path: string, fields: Record<string, string>])[] = [
  ['/sign-in', { username: 'alice', password: GOOD_PASSWORD }],
  ['/setup', { link: 'x' }],
  ['/invitation', { link: 'x' }],
  ['/reset-password', { link: 'x' }],
  ['/account/sessions/end', { id: 'x' }],
  ['/account/sessions/end-others', {}],
  ['/account/sessions/end-all', {}],
  ['/account/tokens', { label: 'x', 'scope sessions:read': 'on', expires_in: '60' }],
  ['/account/tokens/revoke', { id: 'x' }],
  ['/account/links/secrets', { name: 'x', value: 'y' }],
  ['/account/links/secrets/remove', { name: 'x' }],
  ['/account/links/work', { return_to: '/' }],
  ['/account/links/work/unlink', {}],
  ['/account/password', { old_password: GOOD_PASSWORD }],
  ['/account/devices/pair', {}],
  ['/account/devices/cancel-code', { id: 'x' }],
  ['/account/devices/kitchen/change', { name: 'x', labels: '' }],
  ['/account/devices/kitchen/unpair', { sure: 'on' }],
  ['/account/devices/kitchen/guest-links', { service: 'web', label: 'x', expires_in: '60', max_uses: '1' }],
  ['/account/devices/kitchen/guest-links/end', { id: 'x' }],
  ['/account/devices/kitchen/deliveries/cancel', { id: 'x' }],
  ['/account/devices/kitchen/tunnel/end', {}],
  ['/account/devices/kitchen/streams/end', { id: '1' }],
  ['/admin/devices/unpair', { id: 'x' }],
  ['/device', { code: 'ABCD-EFGH' }],
  ['/device/answer', { request: 'x' }],
  ['/admin/users/invite', { role: 'member' }],
  ['/admin/users/void-invitation', { id: 'x' }],
  ['/admin/users/:id/disable', {}],
  ['/admin/users/:id/remove', { sure: 'on' }],
  ['/admin/users/:id/role', { role: 'owner' }],
];

interface Scene extends AsyncDisposable {
  site: WebSite;
  /** Sends one form as the owner's browser, whatever is odd about it. */
  send(path: string, init: RequestInit): Promise<Response>;
}

/** A site that `/setup` answers on, with an owner signed in and somebody to act on. */
async function scene(isSetupOpen: boolean): Promise<Scene> {
  const site = await webSite();
  const { browser, user } = isSetupOpen
    ? { browser: new Browser(), user: undefined }
    : await site.signedIn('mum', 'owner');
  const other = isSetupOpen ? undefined : await site.accounts.addLocal('alice');
  return {
    site,
    send: (path, init) =>
      browser.fetch(site.url(path.replace(':id', other?.id ?? user?.id ?? '')), { method: 'POST', ...init }),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

const sceneFor = (path: string) => scene(path === '/setup');
const form = (fields: Record<string, string>) => new URLSearchParams(fields);

describe.each(FORMS)('%s', (path, fields) => {
  test.each([
    ['a sibling host', { origin: 'http://app.localhost:1' }],
    ['an opaque origin', { origin: 'null' }],
    ['the same host under https', { origin: 'https://localhost' }],
    ['a page of another site', { 'sec-fetch-site': 'same-site' }],
    ['nowhere', {}],
  ])('is refused from %s', async (_where, headers) => {
    await using it = await sceneFor(path);
    const response = await it.send(path, { headers, body: form(fields) });
    expect(response.status).toBe(403);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test('is refused with a field twice', async () => {
    await using it = await sceneFor(path);
    const body = form(fields);
    body.append('extra', '1');
    body.append('extra', '2');
    const response = await it.send(path, { headers: { origin: it.site.origin.origin }, body });
    expect(response.status).toBe(400);
  });

  test.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x', ''])(
    'is refused as %j',
    async (type) => {
      await using it = await sceneFor(path);
      const headers = { origin: it.site.origin.origin, 'content-type': type };
      const response = await it.send(path, { headers, body: form(fields).toString() });
      expect(response.status).toBe(415);
    },
  );

  test('is refused when it is too long, or malformed', async () => {
    await using it = await sceneFor(path);
    const headers = { origin: it.site.origin.origin, 'content-type': 'application/x-www-form-urlencoded' };
    const long = await it.send(path, { headers, body: `x=${'y'.repeat(70_000)}` });
    expect(long.status).toBe(413);
    const malformed = await it.send(path, { headers, body: 'a=%zz' });
    expect(malformed.status).toBe(400);
  });
});

test('a form from a sibling host changes nothing, and is audited', async () => {
  await using it = await scene(false);
  const { people, base } = it.site.accounts;
  const alice = people.store.findByUsername('alice');
  const headers = { origin: 'https://app.example.test' };
  await it.send('/admin/users/:id/disable', { headers, body: form({}) });
  await it.send('/account/sessions/end-all', { headers, body: form({}) });
  expect(alice && people.store.find(alice.id)?.status).toBe('active');
  expect(await it.site.accounts.actions()).toContain('csrf.refused');
  const mum = people.store.findByUsername('mum');
  expect(mum && (await base.ledger.list(mum.id))).toHaveLength(1);
});

describe('sign-in', () => {
  test.each([
    { username: 'x'.repeat(60_000), password: 'y' },
    { username: 'alice\u0000', password: GOOD_PASSWORD },
    { username: 'alice\u202e', password: GOOD_PASSWORD },
    { username: 'a@b@c', password: GOOD_PASSWORD },
    { username: '<script>alert(1)</script>', password: '<script>alert(2)</script>' },
    { username: '', password: '' },
    {},
  ])('answers %j as it answers any wrong name', async (fields) => {
    await using site = await webSite();
    await site.accounts.addLocal('alice');
    const plain = await site.post(new Browser(), '/sign-in', {
      username: 'nobody',
      password: 'nothing at all',
    });
    const odd = await site.post(new Browser(), '/sign-in', fields);
    expect(odd.response.status).toBe(401);
    expect(odd.text).toBe(plain.text);
  });

  test('with the session cookie twice is refused', async () => {
    await using site = await webSite();
    const name = cookieName(site.origin);
    const response = await fetch(site.url('/account/sessions'), {
      headers: { cookie: `${name}=a; ${name}=b` },
    });
    expect(response.status).toBe(400);
  });

  test('with a huge or odd known-browser cookie does no harm', async () => {
    await using site = await webSite();
    await site.accounts.addLocal('alice');
    const name = cookieName(site.origin, 'known');
    const send = (value: string) =>
      fetch(site.url('/sign-in'), {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: `${name}=${value}`, origin: site.origin.origin },
        body: form({ username: 'alice', password: GOOD_PASSWORD }),
      });
    expect((await send('forged')).status).toBe(303);
    expect((await send('x'.repeat(3_000))).status).toBe(400);
  });
});

test.each(['/', '/sign-in', '/invitation', '/reset-password', '/nothing'])(
  '%s carries a policy that runs nothing inline',
  async (path) => {
    await using site = await webSite();
    const { browser } = await site.signedIn('alice');
    const { headers } = await browser.fetch(site.url(path));
    if (headers.get('location') !== null) return;
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
  },
);

test('a wrong method is told which ones are right', async () => {
  await using site = await webSite();
  const response = await fetch(site.url('/account/sessions/end'), { headers: { accept: 'text/html' } });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toContain('POST');
});
