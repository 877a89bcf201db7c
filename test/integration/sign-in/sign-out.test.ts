import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { GOOD_PASSWORD, STRANGER } from '../../support/local-accounts.ts';
import { type OidcTestProvider, startOidcProvider } from '../../support/oidc-provider.ts';
import { type SignInSite, signInSite, siteRegistration } from '../../support/sign-in.ts';

let home: OidcTestProvider;
let site: SignInSite;

beforeAll(async () => {
  const port = freePort();
  home = await startOidcProvider({ clients: [siteRegistration(port, 'home')] });
  site = await signInSite({ port, providers: [{ name: 'home', label: 'Our House', issuer: home.issuer }] });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const signedIn = async (subject = 'alice') => {
  const browser = new Browser();
  await site.signIn(browser, home, 'home', subject);
  return browser;
};

/** Where a page goes on to by itself. */
const refreshOf = (response: Response) =>
  /^0; url=(.+)$/.exec(response.headers.get('refresh') ?? '')?.[1] ?? '';

describe('signing out', () => {
  test('ends the session here, then at the provider, and comes back', async () => {
    const browser = await signedIn();
    const here = await browser.submit(site.url('/sign-out'));
    expect(here.response.status).toBe(200);
    expect(here.response.headers.get('clear-site-data')).toBe('"storage"');
    expect(await site.whoAmI(browser)).toBeUndefined();

    const onward = new URL(refreshOf(here.response));
    expect(onward.searchParams.has('id_token_hint')).toBeTrue();
    expect(onward.searchParams.get('client_id')).toBe('postern');
    const end = await home.confirmSignOut(browser, await browser.visit(onward));
    expect(end.url.pathname).toBe('/signed-out');
    expect(end.text).toContain('You are signed out here and at Our House');
    expect(home.logoutErrors).toEqual([]);
    expect((await site.begin(browser, 'home')).url.pathname).toStartWith('/interaction/');
    expect(await site.accounts.actions()).toContain('sign_out');
  });

  test('refuses the token from then on, and ends the sessions on other hosts', async () => {
    const browser = await signedIn('dora');
    const { ledger, db } = site.accounts.base;
    const user = site.accounts.people.store.findByUsername('dora');
    const [session] = user === undefined ? [] : await ledger.list(user.id);
    if (session === undefined) throw new Error('no session');
    const child = await db.write((tx) =>
      ledger.openChildSession(tx, { parentId: session.id, host: 'app.example', origin: session.origin }),
    );
    const cookie = browser.cookies.header(site.url('/'));
    await browser.submit(site.url('/sign-out'));
    expect((await ledger.find(session.id))?.revokeReason).toBe('signed_out');
    expect((await ledger.find(child.session.id))?.revokeReason).toBe('parent_ended');
    expect((await fetch(site.url('/who'), { headers: { cookie } })).status).toBe(401);
  });

  test('removes our cookies by name, and no other', async () => {
    const browser = await signedIn();
    await site.begin(browser, 'home');
    browser.cookies.store(site.url('/'), ['theirs=1; Path=/', 'postern_1=2; Path=/']);
    await browser.submit(site.url('/sign-out'));
    const left = browser.cookies.names(site.url('/')).sort();
    expect(left).toEqual(['postern_1', 'theirs']);
  });

  test('takes a button: a link and a page of another site do nothing', async () => {
    const browser = await signedIn('eve');
    const page = await browser.visit(site.url('/sign-out'));
    expect(page.text).toContain('action="/sign-out"');
    for (const origin of ['https://evil.example', 'http://localhost', 'null']) {
      const { response } = await browser.submit(site.url('/sign-out'), {}, origin);
      expect(response.status).toBe(403);
    }
    const bare = await browser.fetch(site.url('/sign-out'), { method: 'POST' });
    expect(bare.status).toBe(403);
    expect(await site.whoAmI(browser)).toBe('eve');
    expect(await site.accounts.actions()).toContain('csrf.refused');
  });

  test('of nobody ends on the same page', async () => {
    const browser = new Browser();
    const { url, response, text } = await browser.submit(site.url('/sign-out'));
    expect(url.pathname).toBe('/signed-out');
    expect(response.status).toBe(200);
    expect(text).toContain('You are signed out here.');
  });

  test('stays here for who signed in with a password', async () => {
    await site.accounts.addLocal('local-lena');
    const { issued } = await site.accounts.local.signIn('local-lena', GOOD_PASSWORD, STRANGER);
    const browser = new Browser();
    browser.cookies.store(site.url('/'), [`postern_${site.origin.port}=${issued.token}; Path=/`]);
    expect(await site.whoAmI(browser)).toBe('local-lena');
    const { url } = await browser.submit(site.url('/sign-out'));
    expect(url.pathname).toBe('/signed-out');
    expect(await site.whoAmI(browser)).toBeUndefined();
  });

  test('voids what the session had begun in another tab', async () => {
    const browser = await signedIn('finn');
    const { url } = await browser.visit(
      site.url('/sign-in/home'),
      {},
      ({ pathname }) => pathname === '/callback/home',
    );
    const cookie = browser.cookies.header(url);
    await browser.submit(site.url('/sign-out'));
    const response = await fetch(url, { headers: { cookie }, redirect: 'manual' });
    expect(response.status).toBe(400);
    expect(response.headers.getSetCookie().join()).not.toContain(`postern_${site.origin.port}=`);
  });
});

describe('the page after sign-out', () => {
  test('believes no stranger about a provider', async () => {
    const { text } = await new Browser().visit(site.url('/signed-out?state=Our%20House'));
    expect(text).toContain('You are signed out here.');
    expect(text).not.toContain('Our House');
  });

  test('says so when somebody is signed in', async () => {
    const { text } = await (await signedIn('gina')).visit(site.url('/signed-out'));
    expect(text).toContain('gina');
    expect(text).not.toContain('You are signed out');
  });
});
