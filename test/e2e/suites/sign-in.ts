import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import type { CompiledSignIn } from '../../support/compiled-sign-in.ts';
import type { OidcTestProvider } from '../../support/oidc-provider.ts';
import { CLIENT_ID } from '../../support/sign-in.ts';
import { turnstile } from '../../support/turnstile.ts';
import { until } from '../../support/until.ts';

/** What a logout at the provider has to reach our sessions. */
const WITHIN_MS = 1_000;

/** What signing in and out promises, of one process or of several. */
export function signInSuite(open: () => Promise<CompiledSignIn>): void {
  let site: CompiledSignIn;
  beforeAll(async () => {
    site = await open();
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const isCallback = ({ pathname }: URL) => pathname.startsWith('/callback/');
  const ourCookie = () => `postern_${site.appliance.port}`;

  const signedIn = async (subject: string, provider: 'home' | 'work' = 'home') => {
    const browser = new Browser();
    await site.signIn(browser, provider, subject);
    expect(await site.whoAmI(browser)).toBe(subject);
    return browser;
  };

  /** Where a page goes on to by itself. */
  const refreshOf = (response: Response) =>
    /^0; url=(.+)$/.exec(response.headers.get('refresh') ?? '')?.[1] ?? '';

  const signOutAt = async (provider: OidcTestProvider, browser: Browser) =>
    provider.confirmSignOut(browser, await browser.visit(`${provider.issuer}/session/end`));

  describe('sign-in', () => {
    test('leads to the page that was asked for', async () => {
      const browser = new Browser();
      const asked = await browser.visit(site.url('/account/sessions?tab=2'));
      expect(asked.url.pathname).toBe('/sign-in');
      const [href = ''] = /\/sign-in\/home[^"]*/.exec(asked.text) ?? [];
      const page = await browser.visit(site.url(href.replaceAll('&amp;', '&')));
      const end = await site.home.signIn(browser, page, 'alice');
      expect([end.url.href, end.response.status]).toEqual([site.url('/account/sessions?tab=2').href, 200]);
      expect(browser.cookies.names(site.url('/')).filter((name) => name.startsWith('postern'))).toEqual([
        ourCookie(),
      ]);
    });

    test('at two providers at once makes two people of the same name', async () => {
      const [here, there] = [new Browser(), new Browser()];
      await Promise.all([site.signIn(here, 'home', 'twin'), site.signIn(there, 'work', 'twin')]);
      const names = await Promise.all([here, there].map((browser) => site.whoAmI(browser)));
      expect(names).toContain('twin');
      expect(new Set(names).size).toBe(2);
    });

    test('in two tabs at once disturbs neither', async () => {
      const browser = new Browser();
      const [one, two] = await Promise.all([
        site.begin(browser, 'home', '/account/sessions'),
        site.begin(browser, 'work', '/account/tokens'),
      ]);
      expect((await site.work.signIn(browser, two, 'tabs-at-work')).url.pathname).toBe('/account/tokens');
      expect((await site.home.signIn(browser, one, 'tabs-at-home')).url.pathname).toBe('/account/sessions');
      expect(await site.whoAmI(browser)).toBe('tabs-at-home');
    });

    test('survives a restart, and so do sessions', async () => {
      const before = await signedIn('stayer');
      const under = new Browser();
      const { url } = await site.home.signIn(under, await site.begin(under, 'home'), 'goer', isCallback);
      await site.appliance.restart();
      expect(await site.whoAmI(before)).toBe('stayer');
      await under.visit(url);
      expect(await site.whoAmI(under)).toBe('goer');
    });

    test('of a thousand people at once gives nobody the session of another', async () => {
      const turns = turnstile(100);
      const people = Array.from({ length: 1_000 }, (_, index) => ({
        subject: `person-${index}`,
        browser: new Browser({ 'x-forwarded-for': `10.7.${index >> 8}.${index & 255}` }, turns),
      }));
      const startedAt = performance.now();
      const pages = await Promise.all(people.map(({ browser }) => site.begin(browser, 'home')));
      const names = await Promise.all(
        people.map(async ({ subject, browser }, index) => {
          const page = pages[index];
          if (page !== undefined) await site.home.signIn(browser, page, subject);
          return site.whoAmI(browser);
        }),
      );
      console.log(`1,000 sign-ins at once took ${Math.round(performance.now() - startedAt)} ms`);
      expect(names).toEqual(people.map(({ subject }) => subject));
      const tokens = people.map(({ browser }) => browser.cookies.get(site.url('/'), ourCookie()));
      expect(new Set(tokens).size).toBe(people.length);
    }, 120_000);

    test('works at a provider that starts after Postern', async () => {
      const browser = new Browser();
      const down = await browser.visit(site.url('/sign-in/late'));
      expect(down.response.status).toBe(503);
      expect(Number(down.response.headers.get('retry-after'))).toBeGreaterThan(0);
      const late = await site.startLate();
      await until('the button leads to the provider', async () => {
        // Twice: where there are two processes, each has found out.
        const asked = await Promise.all([1, 2].map(() => new Browser().fetch(site.url('/sign-in/late'))));
        return asked.every(({ status }) => status === 303);
      });
      await late.signIn(browser, await site.begin(browser, 'late'), 'night-owl');
      expect(await site.whoAmI(browser)).toBe('night-owl');
    });
  });

  describe('sign-out', () => {
    test('here goes on to the provider, and comes back', async () => {
      const browser = await signedIn('leaver');
      const cookie = browser.cookies.header(site.url('/'));
      const here = await browser.submit(site.url('/sign-out'));
      expect(here.response.headers.get('clear-site-data')).toBe('"storage"');
      const again = await fetch(site.url('/api/v1/session'), { headers: { cookie } });
      expect(again.status).toBe(401);

      const there = await browser.visit(new URL(refreshOf(here.response)));
      const end = await site.home.confirmSignOut(browser, there);
      expect(end.url.pathname).toBe('/signed-out');
      expect(end.text).toContain('You are signed out here and at home');
      expect(site.home.logoutErrors).toEqual([]);
      expect((await site.begin(browser, 'home')).url.pathname).toStartWith('/interaction/');
    });

    test('at the provider, which names the session, ends that browser and no other', async () => {
      const [one, other] = [await signedIn('bea'), await signedIn('bea')];
      const startedAt = performance.now();
      await signOutAt(site.home, one);
      await until('the browser is signed out', async () => (await site.whoAmI(one)) === undefined);
      expect(performance.now() - startedAt).toBeLessThan(WITHIN_MS);
      expect(await site.whoAmI(other)).toBe('bea');
      expect(site.home.logoutErrors).toEqual([]);
    });

    test('at the provider, which names the person, ends every browser of that person', async () => {
      const browsers = [await signedIn('cid', 'work'), await signedIn('cid', 'work')];
      const bystander = await signedIn('dan', 'work');
      const [first = new Browser()] = browsers;
      const startedAt = performance.now();
      await signOutAt(site.work, first);
      for (const browser of browsers)
        await until('the browser is signed out', async () => (await site.whoAmI(browser)) === undefined);
      expect(performance.now() - startedAt).toBeLessThan(WITHIN_MS);
      expect(await site.whoAmI(bystander)).toBe('dan');
      expect(site.work.logoutErrors).toEqual([]);
    });

    test.each(['home', 'work'] as const)('at the provider %s stops a sign-in under way', async (name) => {
      const provider = site[name];
      const browser = new Browser();
      const subject = `hasty-at-${name}`;
      const { url } = await provider.signIn(browser, await site.begin(browser, name), subject, isCallback);
      // The code stays good: only what we remember of the logout refuses it.
      await provider.logOut(CLIENT_ID, { subject, sid: provider.sidOf(subject) });
      const { response, text } = await browser.visit(url);
      expect([response.status, text.includes('You have been signed out')]).toEqual([403, true]);
      expect(await site.whoAmI(browser)).toBeUndefined();
    });

    test('of one person stays in force over a restart, also when the process is killed', async () => {
      const [gone, stays] = [await signedIn('eli'), await signedIn('fay')];
      const cookie = gone.cookies.header(site.url('/'));
      await gone.submit(site.url('/sign-out'));
      await site.appliance.restart('SIGKILL');
      expect((await fetch(site.url('/api/v1/session'), { headers: { cookie } })).status).toBe(401);
      expect(await site.whoAmI(stays)).toBe('fay');
    });

    test('leaves no secret in what the appliance printed', async () => {
      const browser = await signedIn('quiet');
      const token = browser.cookies.get(site.url('/'), ourCookie()) ?? 'none';
      const printed = site.appliance.printed();
      expect(printed).not.toContain(token);
      expect(printed).not.toMatch(/code=|state=|id_token|pst[a-z]_/);
    });
  });
}
