import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { openProfile, resolveTo, startChromium, talk } from '../../support/chromium.ts';
import type { CompiledSite } from '../../support/compiled-site.ts';
import { MappedBrowser } from '../../support/mapped-browser.ts';
import { APP_URL, AUTH_URL, NOTES_URL, type ProxyName } from '../../support/protected-site.ts';

/** The same in a real browser, as one process or as several. */
export function chromiumSuite(openSite: (proxy: ProxyName) => Promise<CompiledSite>): void {
  describe.each<ProxyName>(['nginx', 'caddy'])('the compiled program in Chromium, behind %s', (name) => {
    let site: CompiledSite;
    let chromium: Browser;
    beforeAll(async () => {
      site = await openSite(name);
      chromium = await startChromium([resolveTo(site.proxy.port)]);
    });
    afterAll(async () => {
      await chromium?.close();
      await site?.[Symbol.asyncDispose]();
    });

    /** Follows a link to a page, signs in where it leads, and waits to be on the page. */
    async function open(page: Page, url: string, subject: string): Promise<void> {
      await page.goto(url);
      expect(page.url()).toStartWith(`${AUTH_URL}/sign-in`);
      await page.click('text=Home');
      await page.fill('[name=account]', subject);
      await page.press('[name=account]', 'Enter');
      await page.waitForURL(url);
      expect(await page.textContent('#user')).toBe(subject);
    }

    /** From the page that says that a form did not get through; nginx shows an answer of its own instead. */
    async function anotherTab(page: Page): Promise<Page> {
      if (name === 'nginx') {
        expect(await page.textContent('body')).toContain('not_signed_in');
        const other = await page.context().newPage();
        await other.goto(APP_URL);
        return other;
      }
      expect(await page.textContent('h1')).toBe('Sign in first');
      const [other] = await Promise.all([
        page.context().waitForEvent('page'),
        page.click('text=in another tab'),
      ]);
      return other;
    }

    const ask = (page: Page) => page.evaluate<number>(`fetch('/api').then(({ status }) => status)`);

    test('nobody signs in, comes back to the page asked for, and has a cookie for each host', async () => {
      await using tab = await openProfile(chromium);
      const { page, context } = tab;
      await open(page, `${APP_URL}/p%C3%A4ge?a=1&b=%26/x`, 'ada');
      const notes = await context.newPage();
      await notes.goto(`${NOTES_URL}/n?x`);
      expect([notes.url(), await notes.textContent('#user')]).toEqual([`${NOTES_URL}/n?x`, 'ada']);

      const cookies = (await context.cookies()).filter((cookie) => cookie.name.startsWith('__Host-postern'));
      const sessions = cookies.filter((cookie) => cookie.name === '__Host-postern');
      expect(sessions.map(({ domain }) => domain).toSorted()).toEqual([
        'app.example.org',
        'auth.example.org',
        'notes.example.net',
      ]);
      for (const cookie of sessions)
        expect(cookie).toMatchObject({ secure: true, httpOnly: true, sameSite: 'Lax' });
      expect(cookies.filter((cookie) => /flow|attempt/.test(cookie.name))).toEqual([]);
      expect(await page.evaluate('document.cookie')).toBe('');
      expect(tab.complaints).toEqual([]);
    });

    test('a WebSocket of a page of the app works until its session has ended', async () => {
      await using tab = await openProfile(chromium);
      const { page } = tab;
      await open(page, `${APP_URL}/`, 'talker');
      expect(await page.evaluate<string[]>(talk(APP_URL))).toEqual(['hello talker', 'ping']);
      await site.appliance.run('session', 'end-all', 'talker');
      expect(await page.evaluate<string[]>(talk(APP_URL))).toEqual(['closed']);
    });

    test('the button on the page of one’s sessions signs the other browser out of every host', async () => {
      await using there = await openProfile(chromium);
      await using here = await openProfile(chromium);
      await open(there.page, `${APP_URL}/`, 'two-browsers');
      const notes = await there.context.newPage();
      await notes.goto(`${NOTES_URL}/`);
      await open(here.page, `${APP_URL}/`, 'two-browsers');
      await here.page.goto(`${AUTH_URL}/account/sessions`);
      const others = here.page.locator('tr:has(strong):not(:has(.badge)) button');
      expect(await others.count()).toBe(1);
      await others.click();
      await here.page.waitForURL(/account\/sessions\?/);
      expect(await others.count()).toBe(0);

      for (const page of [there.page, notes]) {
        expect(await ask(page)).toBe(401);
        await page.reload();
        expect(page.url()).toStartWith(`${AUTH_URL}/sign-in`);
      }
      await here.page.goto(`${APP_URL}/`);
      expect(await here.page.textContent('#user')).toBe('two-browsers');
      expect([...there.complaints, ...here.complaints]).toEqual([]);
    });

    test('signing out leads to the provider and back, and ends every host', async () => {
      await using tab = await openProfile(chromium);
      const { page, context } = tab;
      await open(page, `${APP_URL}/`, 'leaver');
      const auth = await context.newPage();
      await auth.goto(`${AUTH_URL}/`);
      await auth.click('text=Sign out');
      await auth.waitForURL(/session\/end/);
      await auth.click('text=Yes');
      await auth.waitForURL(/signed-out/);
      expect(await auth.textContent('main')).toContain('You are signed out here and at Home');
      expect(await ask(page)).toBe(401);
      expect(tab.complaints).toEqual([]);
    });

    test('a logout at the provider, and an end by command, stop the next request on both hosts', async () => {
      await using tab = await openProfile(chromium);
      const { page, context } = tab;
      await open(page, `${APP_URL}/`, 'ended');
      const notes = await context.newPage();
      await notes.goto(`${NOTES_URL}/`);
      await site.provider.logOut('postern', { subject: 'ended', sid: site.provider.sidOf('ended') });
      expect([await ask(page), await ask(notes)]).toEqual([401, 401]);

      // The provider's own session stands: one click signs in again.
      await page.reload();
      await page.click('text=Home');
      await page.waitForURL(`${APP_URL}/`);
      await notes.goto(`${NOTES_URL}/`);
      expect([await ask(page), await ask(notes)]).toEqual([200, 200]);
      await site.appliance.run('session', 'end-all', 'ended');
      expect([await ask(page), await ask(notes)]).toEqual([401, 401]);
    });

    test('a form that was sent too late is not lost', async () => {
      await using tab = await openProfile(chromium);
      const { page } = tab;
      await open(page, `${APP_URL}/`, 'writer');
      await page.evaluate(`(() => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = '/form';
      form.innerHTML = '<input name="text" value="a long letter">';
      document.body.append(form);
    })()`);
      await site.appliance.run('session', 'end-all', 'writer');
      await page.evaluate(`document.forms[0].submit()`);
      await page.waitForURL(`${APP_URL}/form`);
      const other = await anotherTab(page);
      await other.click('text=Home');
      await other.waitForURL(`${APP_URL}/`);
      await page.reload();
      expect(await page.textContent('#user')).toBe('writer');
      const sent = site.app.received.filter(({ target }) => target === '/form');
      expect(sent).toMatchObject([{ method: 'POST', body: 'text=a+long+letter' }]);
      expect(tab.complaints).toEqual([]);
    });

    test('an attacker’s ticket signs nobody in', async () => {
      await using victim = await openProfile(chromium);
      const attacker = new MappedBrowser(site.mapping);
      await site.signIn(attacker, 'mallory', NOTES_URL);
      const isFinish = ({ pathname }: URL) => pathname === '/.postern/finish';
      const { url: ticket } = await attacker.visit(APP_URL, {}, isFinish);
      expect(ticket.searchParams.get('ticket')).not.toBeNull();
      await victim.page.goto(`${APP_URL}/`);
      await victim.page.goto(ticket.href);
      expect(await victim.page.textContent('h1')).toBe('Sign-in did not work');
      const cookies = await victim.context.cookies();
      expect(cookies.filter((cookie) => cookie.name === '__Host-postern')).toEqual([]);
      await victim.page.goto(`${APP_URL}/`);
      expect(victim.page.url()).toStartWith(`${AUTH_URL}/sign-in`);
    });
  });
}
