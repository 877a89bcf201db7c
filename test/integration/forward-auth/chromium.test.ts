import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openProfile, resolveTo, startChromium, talk } from '../../support/chromium.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import {
  APP_URL,
  AUTH_URL,
  NOTES_URL,
  type ProtectedSite,
  type ProxyName,
  protectedSite,
  SIBLING_URL,
} from '../../support/protected-site.ts';

setDefaultTimeout(60_000);

describe.each<ProxyName>(['nginx', 'caddy'])('in Chromium, behind %s', (name) => {
  let site: ProtectedSite;
  let chromium: Browser;
  beforeAll(async () => {
    site = await protectedSite(name);
    chromium = await startChromium([resolveTo(site.proxy.port)]);
  });
  afterAll(async () => {
    await chromium?.close();
    await site?.[Symbol.asyncDispose]();
  });

  async function signIn(page: Page, username: string): Promise<void> {
    expect(page.url()).toStartWith(`${AUTH_URL}/sign-in`);
    await page.fill('#username', username);
    await page.fill('#password', GOOD_PASSWORD);
    await page.press('#password', 'Enter');
  }

  /** Somebody new, signed in, on the first page of the app. */
  async function onTheApp(page: Page, username: string): Promise<void> {
    await site.addUser(username);
    await page.goto(`${APP_URL}/`);
    await signIn(page, username);
    await page.waitForURL(`${APP_URL}/`);
  }

  async function ourCookies(context: BrowserContext) {
    const cookies = await context.cookies();
    return cookies.filter(({ name: each }) => each === '__Host-postern');
  }

  test('nobody signs in and comes back to the page asked for, on each host with a cookie of its own', async () => {
    await using tab = await openProfile(chromium);
    const { page, context } = tab;
    await site.addUser('ada');
    const wanted = `${APP_URL}/p%C3%A4ge?a=1&b=%26/x`;
    await page.goto(wanted);
    await signIn(page, 'ada');
    await page.waitForURL(wanted);
    expect([await page.textContent('h1'), await page.textContent('#user')]).toEqual(['App', 'ada']);

    await page.goto(`${NOTES_URL}/n?x`);
    expect(page.url()).toBe(`${NOTES_URL}/n?x`);
    expect([await page.textContent('h1'), await page.textContent('#user')]).toEqual(['Notes', 'ada']);

    const cookies = await ourCookies(context);
    expect(cookies.map(({ domain }) => domain).toSorted()).toEqual(
      [APP_URL, AUTH_URL, NOTES_URL].map((url) => new URL(url).host),
    );
    expect(new Set(cookies.map(({ value }) => value)).size).toBe(3);
    for (const cookie of cookies)
      expect(cookie).toMatchObject({ secure: true, httpOnly: true, sameSite: 'Lax' });
    const flows = (await context.cookies()).filter(({ name: each }) => each.includes('flow'));
    expect(flows).toEqual([]);
    expect(tab.complaints).toEqual([]);
  });

  test('nobody signs in at a provider, whose form may not lead to the app, and comes back to the page asked for', async () => {
    await using tab = await openProfile(chromium);
    const { page } = tab;
    await page.goto(`${APP_URL}/page?from=provider`);
    await page.click('text=Home');
    expect(page.url()).toStartWith(site.provider.issuer);
    await page.fill('[name=account]', 'lin');
    await page.press('[name=account]', 'Enter');
    await page.waitForURL(`${APP_URL}/page?from=provider`);
    expect(await page.textContent('#user')).toBe('lin');
    expect(tab.complaints).toEqual([]);
  });

  test('two tabs sign in at once', async () => {
    await using tab = await openProfile(chromium);
    const { page, context } = tab;
    await site.addUser('two-tabs');
    const other = await context.newPage();
    await Promise.all([page.goto(`${APP_URL}/one`), other.goto(`${APP_URL}/two`)]);
    await signIn(page, 'two-tabs');
    await page.waitForURL(`${APP_URL}/one`);
    await signIn(other, 'two-tabs');
    await other.waitForURL(`${APP_URL}/two`);
    expect(await other.textContent('#user')).toBe('two-tabs');
    await page.reload();
    expect(await page.textContent('#user')).toBe('two-tabs');
  });

  test('scripts, forms and WebSockets of the app work', async () => {
    await using tab = await openProfile(chromium);
    const { page } = tab;
    await onTheApp(page, 'grace');
    const posted = await page.evaluate<{ body: string; headers: Record<string, string> }>(
      `fetch('/api', { method: 'POST', body: 'data' }).then((answer) => answer.json())`,
    );
    expect(posted.body).toBe('data');
    expect(posted.headers['remote-user']).toBe('grace');
    expect(await page.evaluate<string[]>(talk(APP_URL))).toEqual(['hello grace', 'ping']);
    await page.evaluate(submitForm(APP_URL));
    await page.waitForURL(`${APP_URL}/form`);
    expect(await page.textContent('#user')).toBe('grace');
  });

  test('scripts, forms and WebSockets of a sibling host do not', async () => {
    await using tab = await openProfile(chromium);
    const { page } = tab;
    await onTheApp(page, 'mallory');
    await page.goto(`${SIBLING_URL}/`);
    expect(await page.textContent('h1')).toBe('Sibling');
    // A browser fetches the icon of a page whenever it likes; nothing but that may have come since.
    const before = site.app.received.length;
    const reached = () =>
      site.app.received
        .slice(before)
        .map(({ method, target }) => `${method} ${target}`)
        .filter((request) => request !== 'GET /favicon.ico');
    await page.evaluate(
      `fetch('${APP_URL}/api', { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => undefined)`,
    );
    expect(await page.evaluate<string[]>(talk(APP_URL))).toEqual(['closed']);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url() === `${APP_URL}/form`),
      page.evaluate(submitForm(APP_URL)),
    ]);
    expect(answer.status()).toBe(403);
    expect(reached()).toEqual([]);
  });

  test('signing out ends both hosts, for scripts with a 401 and for pages with sign-in', async () => {
    await using tab = await openProfile(chromium);
    const { page, context } = tab;
    await onTheApp(page, 'leaver');
    const notes = await context.newPage();
    await notes.goto(`${NOTES_URL}/`);
    const auth = await context.newPage();
    await auth.goto(`${AUTH_URL}/`);
    await auth.click('text=Sign out');
    await auth.waitForURL(/signed-out/);
    for (const each of [page, notes]) {
      expect(await each.evaluate<number>(`fetch('/api').then(({ status }) => status)`)).toBe(401);
      await each.reload();
      expect(each.url()).toStartWith(`${AUTH_URL}/sign-in`);
    }
  });

  test('an attacker’s ticket signs nobody in', async () => {
    await using victim = await openProfile(chromium);
    const attacker = await site.signedIn(await site.addUser('attacker'));
    const isFinish = ({ pathname }: URL) => pathname === '/.postern/finish';
    const { url: ticket } = await attacker.visit(APP_URL, {}, isFinish);
    expect(ticket.searchParams.get('ticket')).not.toBeNull();
    await victim.page.goto(`${APP_URL}/`);
    await victim.page.goto(ticket.href);
    expect(await victim.page.textContent('h1')).toBe('Sign-in did not work');
    expect(await ourCookies(victim.context)).toEqual([]);
    expect(victim.complaints).toEqual([]);
  });
});

function submitForm(origin: string): string {
  return `(() => {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = '${origin}/form';
    document.body.append(form);
    form.submit();
  })()`;
}
