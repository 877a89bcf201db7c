import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { type OidcTestProvider, startOidcProvider } from '../../support/oidc-provider.ts';
import { type SignInSite, signInSite, siteRegistration } from '../../support/sign-in.ts';
import { turnstile } from '../../support/turnstile.ts';

let home: OidcTestProvider;
let work: OidcTestProvider;
let site: SignInSite;

const FAMILY = { groups: ['family'], email: 'Eve@Example.com', email_verified: true };

beforeAll(async () => {
  const port = freePort();
  home = await startOidcProvider({ clients: [siteRegistration(port, 'home')] });
  work = await startOidcProvider({
    clients: [siteRegistration(port, 'work', { tokenEndpointAuthMethod: 'client_secret_post' })],
    host: 'localhost',
  });
  site = await signInSite({
    port,
    returnHosts: ['app.localhost:9000'],
    providers: [
      { name: 'home', issuer: home.issuer, scopes: ['openid', 'profile', 'email', 'groups'] },
      {
        name: 'work',
        issuer: work.issuer,
        scopes: ['profile', 'email', 'groups'],
        token_endpoint_auth_method: 'client_secret_post',
        allow: {
          subjects: ['bob'],
          emails: ['eve@example.com'],
          domains: ['corp.example'],
          groups: ['family'],
        },
        owners: { subjects: [], emails: [], domains: [], groups: ['admins'] },
      },
    ],
  });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await Promise.all([home, work].map((provider) => provider[Symbol.asyncDispose]()));
});

/** The cookies of ours, beside those of a provider on the same host. */
const ourCookies = (browser: Browser) =>
  browser.cookies.names(site.url('/')).filter((name) => name.startsWith('postern_'));

const lastAudit = async () => {
  await site.accounts.actions();
  return site.accounts.base.auditStore.list({ limit: 1 })[0];
};

/** Alice signs in at the provider; where it sends her browser back to, not asked for yet. */
async function upToTheCallback(browser: Browser): Promise<URL> {
  const page = await site.begin(browser, 'home');
  const { url } = await home.signIn(browser, page, 'alice', ({ pathname }) => pathname === '/callback/home');
  return url;
}

describe('after sign-in', () => {
  test('a browser is on the page it asked for, as the person who signed in', async () => {
    const browser = new Browser();
    const end = await site.signIn(browser, home, 'home', 'alice', '/deep/link?tab=2&x=%2F#part');
    expect(end.url.href).toBe(site.url('/deep/link?tab=2&x=%2F#part').href);
    expect(end.text).toContain('page /deep/link');
    expect(await site.whoAmI(browser)).toBe('alice');
    expect(await lastAudit()).toMatchObject({
      action: 'sign_in',
      outcome: 'success',
      detail: { provider: 'home', purpose: 'sign_in' },
    });
  });

  test('a browser is on a protected host when it came from there', async () => {
    const browser = new Browser();
    const target = 'http://app.localhost:9000/.postern/start?to=abc';
    const page = await site.begin(browser, 'home', target);
    const end = await home.signIn(browser, page, 'alice', (url) => url.hostname === 'app.localhost');
    expect(end.url.href).toBe(target);
  });

  test.each([
    ['nothing asked for', undefined],
    ['a scheme-relative URL', '//evil.example/'],
    ['a backslash', '/\\evil.example/'],
    ['a control character', '/\t/evil.example/'],
    ['user info', 'http://app.localhost:9000@evil.example/'],
    ['user info at a good host', 'http://me@app.localhost:9000/'],
    ['a suffix of a good host', 'http://evil-app.localhost:9000/'],
    ['a good host as a prefix', 'http://app.localhost:9000.evil.example/'],
    ['another host', 'https://evil.example/'],
    ['a script', 'javascript:alert(1)'],
    ['dots before two slashes', '/.//evil.example/'],
  ])('a browser lands on the landing page: %s', async (_what, target) => {
    const browser = new Browser();
    const end = await site.signIn(browser, home, 'home', 'alice', target);
    expect(end.url.href).toBe(site.url('/').href);
  });

  test('the session is a new one, and the one this browser had has ended', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'carol');
    const name = `postern_${site.origin.port}`;
    const first = browser.cookies.get(site.url('/'), name);
    work.setClaims('wanda', { preferred_username: 'wanda', groups: ['family'] });
    await site.signIn(browser, work, 'work', 'wanda');
    expect(await site.whoAmI(browser)).toBe('wanda');
    expect(browser.cookies.get(site.url('/'), name)).not.toBe(first);

    const thief = await fetch(site.url('/who'), { headers: { cookie: `${name}=${first}` } });
    expect(thief.status).toBe(401);
    const carol = site.accounts.people.store.findByUsername('carol');
    expect(carol && (await site.accounts.base.ledger.list(carol.id))).toEqual([]);
  });

  test('no cookie of the attempt is left', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'alice');
    expect(ourCookies(browser)).toEqual([`postern_${site.origin.port}`]);
  });
});

describe('a person', () => {
  test('is told apart by issuer and subject, whatever else is alike', async () => {
    const [here, there] = [new Browser(), new Browser()];
    await site.signIn(here, home, 'home', 'bob');
    await site.signIn(there, work, 'work', 'bob');
    const [one, other] = [await site.whoAmI(here), await site.whoAmI(there)];
    expect(one).toBeDefined();
    expect(other).toBeDefined();
    expect(one).not.toBe(other);
  });

  test('has what the UserInfo endpoint tells where the ID token is silent', async () => {
    home.setClaims('dora', {
      name: 'Dora Doe',
      preferred_username: 'dora',
      ...FAMILY,
      email: 'dora@example.com',
    });
    await site.signIn(new Browser(), home, 'home', 'dora');
    expect(site.accounts.people.store.findByUsername('dora')).toMatchObject({
      displayName: 'Dora Doe',
      email: 'dora@example.com',
      groups: ['family'],
      role: 'member',
    });
  });

  test('has no address that the provider does not call verified', async () => {
    const addresses = [
      { email: 'finn@example.com' },
      { email: 'finn@example.com', email_verified: false },
      { email: 'finn@example.com', email_verified: 'true' },
      { email: 'finn@evil.example@example.com', email_verified: true },
      { email: 'finn\u0000@example.com', email_verified: true },
    ];
    for (const address of addresses) {
      home.setClaims('finn', { preferred_username: 'finn', ...address });
      await site.signIn(new Browser(), home, 'home', 'finn');
      expect(site.accounts.people.store.findByUsername('finn')?.email).toBeUndefined();
    }
  });

  test('is an owner as long as `owners` says so', async () => {
    const roleNow = () => site.accounts.people.store.findByUsername('gina')?.role;
    await site.accounts.addLocal('landlady', 'owner');
    for (const [groups, role] of [
      [['family'], 'member'],
      [['family', 'admins'], 'owner'],
      [['family'], 'member'],
    ] as const) {
      work.setClaims('gina', { preferred_username: 'gina', groups });
      await site.signIn(new Browser(), work, 'work', 'gina');
      expect(roleNow()).toBe(role);
    }
  });
});

describe('`allow`', () => {
  test.each([
    ['by address', { email: 'EVE@example.com', email_verified: true }],
    ['by domain', { email: 'who@corp.example', email_verified: true }],
    ['by group', { groups: ['family'] }],
  ])('lets people in %s', async (what, claims) => {
    const subject = `allowed ${what}`;
    work.setClaims(subject, claims);
    const browser = new Browser();
    await site.signIn(browser, work, 'work', subject);
    expect(await site.whoAmI(browser)).toBeDefined();
  });

  test.each([
    ['nobody named', {}],
    ['the right address, unverified', { email: 'eve@example.com', email_verified: false }],
    ['the right domain behind two @', { email: 'who@evil.example@corp.example', email_verified: true }],
    ['a domain below the right one', { email: 'who@sub.corp.example', email_verified: true }],
    ['owners alone', { groups: ['admins'] }],
  ])('shows a page to everybody else, and makes nobody of them: %s', async (what, claims) => {
    const subject = `refused: ${what}`;
    work.setClaims(subject, claims);
    const browser = new Browser();
    const before = site.accounts.people.store.count();
    const { response, text } = await site.signIn(browser, work, 'work', subject, '/deep/link');
    expect(response.status).toBe(403);
    expect(text).toContain('You may not sign in here');
    expect(text).not.toContain(subject);
    expect(site.accounts.people.store.count()).toBe(before);
    expect(ourCookies(browser)).toEqual([]);
    expect(await lastAudit()).toMatchObject({
      outcome: 'refused',
      detail: { reason: 'not_allowed', subject },
    });
  });

  test('leads who was refused out of the session at the provider, and back', async () => {
    const browser = new Browser();
    const { text } = await site.signIn(browser, work, 'work', 'stranger');
    const link = /href="([^"]+\/session\/end[^"]+)"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const end = await work.confirmSignOut(browser, await browser.visit(link));
    expect(end.text).toContain('You are signed out here and at work');
    expect((await site.begin(browser, 'work')).url.pathname).toStartWith('/interaction/');
  });

  test('leaves the session alone that the browser had before', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'alice');
    await site.signIn(browser, work, 'work', 'stranger');
    expect(await site.whoAmI(browser)).toBe('alice');
  });
});

test('who says no at the provider comes back to a page, signed in as nobody', async () => {
  const browser = new Browser();
  const { response, text } = await home.deny(browser, await site.begin(browser, 'home'));
  expect(response.status).toBe(403);
  expect(text).toContain('cancelled');
  expect(text).not.toContain('The person said no');
  expect(await site.whoAmI(browser)).toBeUndefined();
});

describe('an attempt', () => {
  test('is used once', async () => {
    const browser = new Browser();
    const end = await site.signIn(browser, home, 'home', 'alice');
    const callback = end.path.find((url) => url.includes('/callback/')) ?? '';
    const { response } = await browser.visit(callback);
    expect(response.status).toBe(400);
    expect(await lastAudit()).toMatchObject({ outcome: 'refused', detail: { reason: 'other_browser' } });
  });

  test('is used once, of two callbacks at the same moment too', async () => {
    const browser = new Browser();
    const url = await upToTheCallback(browser);
    const answers = await Promise.all([1, 2, 3, 4].map(() => browser.fetch(url)));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([303, 400, 400, 400]);
  });

  test('belongs to the browser that began it, which can still complete it', async () => {
    const [browser, other] = [new Browser(), new Browser()];
    const url = await upToTheCallback(browser);
    await site.begin(other, 'home');
    const { response, text } = await other.visit(url);
    expect(response.status).toBe(400);
    expect(text).toContain('not begun here');
    expect(await site.whoAmI(other)).toBeUndefined();
    await browser.visit(url);
    expect(await site.whoAmI(browser)).toBe('alice');
  });

  test('is completed at the provider where it was begun', async () => {
    const browser = new Browser();
    const url = await upToTheCallback(browser);
    url.pathname = '/callback/work';
    expect((await browser.visit(url)).response.status).toBe(400);
    expect(await lastAudit()).toMatchObject({ detail: { provider: 'work', reason: 'other_provider' } });
    expect(await site.whoAmI(browser)).toBeUndefined();
  });

  test.each([
    '',
    '?state=',
    '?state=att_aaaaaaaaaaaaaaaaaaaaaaaaaa&code=x',
    `?state=${'x'.repeat(5_000)}&code=x`,
  ])('that nobody began is refused: %#', async (query) => {
    const { response } = await new Browser().visit(site.url(`/callback/home${query}`));
    expect(response.status).toBe(400);
  });

  test('whose cookie came twice is refused, and stays', async () => {
    const browser = new Browser();
    const url = await upToTheCallback(browser);
    const [cookie] = browser.cookies.header(url).split('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie: `${cookie}; ${cookie}` } });
    expect(response.status).toBe(400);
    await browser.visit(url);
    expect(await site.whoAmI(browser)).toBe('alice');
  });

  test('does not disturb one in another tab', async () => {
    const browser = new Browser();
    const [one, two] = [await site.begin(browser, 'home', '/deep/link'), await site.begin(browser, 'work')];
    await work.signIn(browser, two, 'bob');
    const end = await home.signIn(browser, one, 'alice');
    expect(end.url.pathname).toBe('/deep/link');
    expect(await site.whoAmI(browser)).toBe('alice');
  });

  test('makes room when a browser has begun too many', async () => {
    const browser = new Browser();
    const pages = [];
    for (let tab = 0; tab < 9; tab++) pages.push(await site.begin(browser, 'home'));
    expect(ourCookies(browser)).toHaveLength(5);
    const last = pages.at(-1);
    if (last !== undefined) await home.signIn(browser, last, 'alice');
    expect(await site.whoAmI(browser)).toBe('alice');
  });

  test('begins with a click, not with an image or a prefetch', async () => {
    for (const header of [{ 'sec-fetch-dest': 'image' }, { 'sec-purpose': 'prefetch' }]) {
      const response = await new Browser(header).fetch(site.url('/sign-in/home'));
      expect(response.status).toBe(403);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
  });

  test('is unknown at a provider that nobody configured', async () => {
    expect((await new Browser().fetch(site.url('/sign-in/nowhere'))).status).toBe(404);
    expect((await new Browser().fetch(site.url('/callback/nowhere?code=x&state=y'))).status).toBe(404);
  });
});

test('a thousand different people sign in at once, and nobody gets the session of another', async () => {
  const turns = turnstile(100);
  const people = Array.from({ length: 1_000 }, (_, index) => ({
    subject: `person-${index}`,
    browser: new Browser({}, turns),
  }));
  const pages = await Promise.all(people.map(({ browser }) => site.begin(browser, 'home')));
  const names = await Promise.all(
    people.map(async ({ subject, browser }, index) => {
      const page = pages[index];
      if (page !== undefined) await home.signIn(browser, page, subject);
      return site.whoAmI(browser);
    }),
  );
  expect(names).toEqual(people.map(({ subject }) => subject));
}, 120_000);
