import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  allowInsecureRequests,
  type Configuration,
  discovery,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
} from 'openid-client';
import { TV_CLIENT } from '../../support/device-client.ts';
import { hiddenFields } from '../../support/oauth-client.ts';
import { type WholeSite, wholeSite } from '../../support/whole-site.ts';

setDefaultTimeout(30_000);

/** The official client waits as long as it is told to. */
const SERVER = { client: [TV_CLIENT], device_poll_interval: '1s' };

const television = (site: WholeSite): Promise<Configuration> =>
  discovery(site.url('/'), 'tv', undefined, None(), {
    algorithm: 'oauth2',
    execute: [allowInsecureRequests],
  });

const begin = (more: Record<string, unknown> = {}) =>
  wholeSite({ authorization_server: { ...SERVER, ...more } });

describe('openid-client, and somebody at /device', () => {
  test('they let the program in', async () => {
    await using site = await begin();
    const client = await television(site);
    const asked = await initiateDeviceAuthorization(client, { resource: site.url('/mcp/whoami').href });
    const tokens = pollDeviceAuthorizationGrant(client, asked);
    const browser = await site.signedIn('ada');
    const page = await browser.submit(new URL(asked.verification_uri), {
      code: asked.user_code.toLowerCase(),
    });
    expect(page.text).toContain('“Television”');
    expect(page.text).toContain('127.0.0.1');
    const answered = await browser.submit(site.url('/device/answer'), {
      ...hiddenFields(page.text),
      decision: 'allow',
    });
    expect(answered.url.pathname).toBe('/device/done');
    const { access_token, refresh_token, scope } = await tokens;
    expect({ scope, hasBoth: access_token !== '' && refresh_token !== undefined }).toEqual({
      scope: 'mcp:whoami',
      hasBoth: true,
    });
    const apps = await browser.visit(site.url('/account/apps'));
    expect(apps.text).toContain('Let in by a code that you typed');
  });

  test('they refuse it', async () => {
    await using site = await begin();
    const client = await television(site);
    const asked = await initiateDeviceAuthorization(client, {});
    const tokens = pollDeviceAuthorizationGrant(client, asked);
    const browser = await site.signedIn('ada');
    const page = await browser.submit(site.url('/device'), { code: asked.user_code });
    const answered = await browser.submit(site.url('/device/answer'), {
      ...hiddenFields(page.text),
      decision: 'deny',
    });
    expect(answered.text).toContain('It was not let in');
    const refused: unknown = await tokens.catch((error: unknown) => error);
    expect(refused).toMatchObject({ error: 'access_denied' });
  });
});

describe('a code that is typed', () => {
  test('is never filled in, and signing in comes first', async () => {
    await using site = await begin();
    const browser = await site.signedIn('ada');
    const page = await browser.visit(site.url('/device?code=ABCD-EFGH&user_code=ABCD-EFGH'));
    expect(page.text).not.toContain('ABCD');
    const stranger = await fetch(site.url('/device'), { redirect: 'manual' });
    expect(stranger.headers.get('location')).toBe('/sign-in?return_to=%2Fdevice');
    const posted = await fetch(site.url('/device'), {
      method: 'POST',
      body: new URLSearchParams({ code: 'ABCDEFGH' }),
      redirect: 'manual',
    });
    expect(posted.status).toBe(401);
  });

  test.each(['', 'ABCD-EFGH', 'ABCD-EFG', '<b>', 'ABCD-EFG0', 'A'.repeat(5_000)])(
    'and is not one ("%s") looks like any other, and is not repeated',
    async (code) => {
      await using site = await begin();
      const browser = await site.signedIn('ada');
      const { response, text } = await browser.submit(site.url('/device'), { code });
      expect(response.status).toBe(404);
      expect(text).toContain('This code is not good, or not any more.');
      expect(text).not.toContain('&lt;b');
      expect(text).not.toContain('AAAA');
    },
  );

  test('wrong too often is refused for a while, and that is in the audit', async () => {
    await using site = await begin({ user_codes_per_user: 2 });
    const browser = await site.signedIn('ada');
    const type = async (code: string) => (await browser.submit(site.url('/device'), { code })).response;
    const client = await television(site);
    for (let good = 0; good < 4; good++) {
      const { user_code } = await initiateDeviceAuthorization(client, {});
      expect((await type(user_code)).status).toBe(200);
    }
    expect((await type('AAAA-AAAA')).status).toBe(404);
    expect((await type('AAAA-AAAB')).status).toBe(404);
    const refused = await type('AAAA-AAAC');
    expect(refused.status).toBe(429);
    expect(refused.headers.has('retry-after')).toBe(true);
    await type('AAAA-AAAD');
    const other = await site.signedIn('bob', 'member');
    expect((await other.submit(site.url('/device'), { code: 'AAAA-AAAA' })).response.status).toBe(404);
    const audit = await browser.visit(site.url('/admin/audit'));
    expect(audit.text.match(/user_code\.rate_limited/g)).toHaveLength(1);
  });
});

describe('an answer', () => {
  const open = async () => {
    const site = await begin();
    const browser = await site.signedIn('ada');
    const { user_code } = await initiateDeviceAuthorization(await television(site), {});
    const page = await browser.submit(site.url('/device'), { code: user_code });
    const fields = { ...hiddenFields(page.text), decision: 'allow' };
    const answer = async (more: Record<string, string> = {}, by = browser) =>
      (await by.submit(site.url('/device/answer'), { ...fields, ...more })).response;
    return { site, browser, answer, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
  };

  test('counts once', async () => {
    await using t = await open();
    expect((await t.answer()).status).toBe(200);
    expect((await t.answer()).status).toBe(404);
  });

  test('is to what was shown, in this session', async () => {
    await using t = await open();
    const other = await t.site.signedIn('bob');
    expect((await t.answer({}, other)).status).toBe(404);
    expect((await t.answer({ request: '' })).status).toBe(404);
    expect((await t.answer({ request: 'x' })).status).toBe(404);
    expect((await t.answer({ resource: 'https://elsewhere.example/' })).status).toBe(422);
    expect((await t.answer()).status).toBe(200);
  });

  test('from another page is refused', async () => {
    await using t = await open();
    const { response } = await t.browser.submit(
      t.site.url('/device/answer'),
      { decision: 'allow' },
      'https://evil.example',
    );
    expect(response.status).toBe(403);
  });
});
