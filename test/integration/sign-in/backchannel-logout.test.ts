import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { type OidcTestProvider, startOidcProvider } from '../../support/oidc-provider.ts';
import { CLIENT_ID, type SignInSite, signInSite, siteRegistration } from '../../support/sign-in.ts';

/** Sends `sid` with `sub`. */
let home: OidcTestProvider;
/** Sends `sub` alone. */
let work: OidcTestProvider;
let site: SignInSite;

beforeAll(async () => {
  const port = freePort();
  home = await startOidcProvider({ clients: [siteRegistration(port, 'home')] });
  work = await startOidcProvider({
    clients: [siteRegistration(port, 'work', { backchannelLogoutSessionRequired: false })],
    host: 'localhost',
  });
  site = await signInSite({
    port,
    providers: [
      { name: 'home', issuer: home.issuer },
      { name: 'work', issuer: work.issuer },
    ],
  });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await Promise.all([home, work].map((provider) => provider[Symbol.asyncDispose]()));
});

const isCallback = (url: URL) => url.pathname.startsWith('/callback/');

const sessionOf = async (username: string) => {
  const user = site.accounts.people.store.findByUsername(username);
  const [session] = user === undefined ? [] : await site.accounts.base.ledger.list(user.id);
  if (user === undefined || session === undefined) throw new Error(`no session of ${username}`);
  return { user, session, sid: session.origin.providerSid };
};

/** As if the browser had lost our cookie: what it begins next was begun by no session. */
const forgetSession = (browser: Browser) =>
  browser.cookies.store(site.url('/'), [`postern_${site.origin.port}=; Path=/; Max-Age=0`]);

const nextMillisecond = async () => {
  const now = Date.now();
  while (Date.now() === now) await new Promise((resolve) => setImmediate(resolve));
};

describe('a logout token', () => {
  test('with `sid` ends that browser session with its children, and no other', async () => {
    const [one, other] = [new Browser(), new Browser()];
    await site.signIn(one, home, 'home', 'alice');
    const { session, sid } = await sessionOf('alice');
    await site.signIn(other, home, 'home', 'alice');
    const { ledger, db } = site.accounts.base;
    const child = await db.write((tx) =>
      ledger.openChildSession(tx, { parentId: session.id, host: 'app.example', origin: session.origin }),
    );
    const startedAt = performance.now();
    await home.logOut(CLIENT_ID, { subject: 'alice', sid });
    expect(await site.whoAmI(one)).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await site.whoAmI(other)).toBe('alice');
    expect((await ledger.find(session.id))?.revokeReason).toBe('provider_logout');
    expect((await ledger.find(child.session.id))?.status).toBe('revoked');
    expect(await site.accounts.actions()).toContain('backchannel_logout');
    expect(site.metrics()).toContain('postern_backchannel_logouts_total{provider="home",outcome="success"}');
  });

  test('with `sub` alone ends every browser session and grant of the person', async () => {
    const browsers = [new Browser(), new Browser(), new Browser()];
    for (const browser of browsers) await site.signIn(browser, work, 'work', 'bob');
    const bystander = new Browser();
    await site.signIn(bystander, home, 'home', 'carol');
    const startedAt = performance.now();
    await work.logOut(CLIENT_ID, { subject: 'bob', sid: undefined });
    for (const browser of browsers) expect(await site.whoAmI(browser)).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await site.whoAmI(bystander)).toBe('carol');
  });

  test('of one provider ends nothing of another', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'dora');
    await work.logOut(CLIENT_ID, { subject: 'dora', sid: undefined });
    expect(await site.whoAmI(browser)).toBe('dora');
  });

  test('comes when the person signs out at the provider itself', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'eve');
    await home.confirmSignOut(browser, await browser.visit(`${home.issuer}/session/end`));
    expect(home.logoutErrors).toEqual([]);
    expect(await site.whoAmI(browser)).toBeUndefined();
  });
});

describe('a sign-in under way when a logout arrives', () => {
  test('is refused when it is of that session', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'finn');
    const { sid } = await sessionOf('finn');
    forgetSession(browser);
    const { url } = await browser.visit(site.url('/sign-in/home'), {}, isCallback);
    await home.logOut(CLIENT_ID, { subject: 'finn', sid });
    const { response, text } = await browser.visit(url);
    expect(response.status).toBe(403);
    expect(text).toContain('You have been signed out');
    expect(await site.whoAmI(browser)).toBeUndefined();
  });

  test('is void when the session that began it ends', async () => {
    const browser = new Browser();
    await site.signIn(browser, home, 'home', 'finn');
    const { sid } = await sessionOf('finn');
    const { url } = await browser.visit(site.url('/sign-in/home'), {}, isCallback);
    await home.logOut(CLIENT_ID, { subject: 'finn', sid });
    expect((await browser.visit(url)).response.status).toBe(400);
    expect(await site.whoAmI(browser)).toBeUndefined();
  });

  test('is refused when it is of that person, known here or not', async () => {
    for (const subject of ['bob', 'never-seen']) {
      const browser = new Browser();
      const { url } = await work.signIn(browser, await site.begin(browser, 'work'), subject, isCallback);
      await work.logOut(CLIENT_ID, { subject, sid: undefined });
      expect((await browser.visit(url)).response.status).toBe(403);
      expect(await site.whoAmI(browser)).toBeUndefined();
    }
    expect(site.accounts.people.store.findByUsername('never-seen')).toBeUndefined();
  });

  test('goes on when it is of somebody else', async () => {
    const browser = new Browser();
    const { url } = await work.signIn(browser, await site.begin(browser, 'work'), 'gina', isCallback);
    await work.logOut(CLIENT_ID, { subject: 'somebody-else', sid: undefined });
    await browser.visit(url);
    expect(await site.whoAmI(browser)).toBe('gina');
  });

  test('that begins after it goes on', async () => {
    const browser = new Browser();
    await work.logOut(CLIENT_ID, { subject: 'hugo', sid: undefined });
    await nextMillisecond();
    await site.signIn(browser, work, 'work', 'hugo');
    expect(await site.whoAmI(browser)).toBe('hugo');
  });

  test('of everywhere is refused too, and so is somebody disabled meanwhile', async () => {
    const { base, people } = site.accounts;
    const first = new Browser();
    await site.signIn(first, home, 'home', 'ida');
    const { user } = await sessionOf('ida');
    const acts = [
      () => base.ledger.endAll(user.id, { reason: 'everywhere' }),
      () => people.acts.disable(user.id, {}),
    ];
    for (const act of acts) {
      const browser = new Browser();
      const { url } = await home.signIn(browser, await site.begin(browser, 'home'), 'ida', isCallback);
      await act();
      expect((await browser.visit(url)).response.status).toBe(403);
      expect(await site.whoAmI(browser)).toBeUndefined();
    }
  });
});
