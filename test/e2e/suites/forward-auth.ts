import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import type { CompiledSite } from '../../support/compiled-site.ts';
import { fetchMapped, MappedBrowser } from '../../support/mapped-browser.ts';
import { APP_URL, AUTH_URL, NOTES_URL, type ProxyName, SIBLING_URL } from '../../support/protected-site.ts';
import { rawHttps } from '../../support/raw-https.ts';
import { openSocket } from '../../support/web-socket.ts';

const COOKIE = '__Host-postern';
const PAGE = '/page/%C3%A4?a=1&b=/x?y&c=%26';
const SCRIPT = { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };

interface ListedSession {
  id: string;
  host: string | null;
  kind: string;
  current: boolean;
}

/** What the compiled program promises behind the proxy of a guide, as one process or as several. */
export function forwardAuthSuite(open: (proxy: ProxyName) => Promise<CompiledSite>): void {
  describe.each<ProxyName>(['nginx', 'caddy'])('the compiled program behind %s', (name) => {
    let site: CompiledSite;
    beforeAll(async () => {
      site = await open(name);
      site.provider.setClaims('ada', {
        preferred_username: 'ada',
        name: 'Ada L',
        email: 'ada@example.org',
        email_verified: true,
        groups: ['staff', 'admins'],
      });
    });
    afterAll(() => site?.[Symbol.asyncDispose]());

    const send = (url: string, init: RequestInit = {}) => fetchMapped(site.mapping, new URL(url), init);
    const cookiesOf = (browser: MappedBrowser, url = APP_URL) => browser.cookies.header(new URL(url));
    const ask = async (browser: MappedBrowser, url: string) =>
      (await send(url, { headers: { ...SCRIPT, cookie: cookiesOf(browser, url) } })).status;
    /** What somebody who is on both apps is answered there now. */
    const askBoth = async (browser: MappedBrowser) => [
      await ask(browser, APP_URL),
      await ask(browser, NOTES_URL),
    ];
    const api = (browser: MappedBrowser, path: string, init: RequestInit = {}) =>
      browser.fetch(AUTH_URL + path, {
        ...init,
        headers: { origin: AUTH_URL, 'content-type': 'application/json' },
      });
    const sessionsOf = async (browser: MappedBrowser) => {
      const { sessions } = (await (await api(browser, '/api/v1/sessions')).json()) as {
        sessions: ListedSession[];
      };
      return sessions;
    };
    const browserSessionOf = async (browser: MappedBrowser) => {
      const found = (await sessionsOf(browser)).find(({ current }) => current);
      if (found === undefined) throw new Error('the browser is not signed in');
      return found.id;
    };
    const last = (app = site.app) => {
      const received = app.received.at(-1);
      if (received === undefined) throw new Error('nothing reached the app');
      return received;
    };

    test('nobody signs in and comes back to the page asked for, with a cookie of that host alone', async () => {
      const browser = new MappedBrowser(site.mapping);
      const page = await site.signIn(browser, 'ada', APP_URL + PAGE);
      expect([page.url.href, page.response.status]).toEqual([APP_URL + PAGE, 200]);
      expect(last()).toMatchObject({
        target: PAGE,
        headers: {
          'remote-user': 'ada',
          'remote-name': 'Ada L',
          'remote-email': 'ada@example.org',
          'remote-groups': 'staff,admins',
        },
      });
      expect(browser.cookies.names(APP_URL)).toContain(COOKIE);
      expect(browser.cookies.names(NOTES_URL)).toEqual([]);
      expect(browser.cookies.names(SIBLING_URL)).toEqual([]);

      const other = await browser.visit(`${NOTES_URL}/n`);
      expect([other.url.href, last(site.notes).headers['remote-user']]).toEqual([`${NOTES_URL}/n`, 'ada']);
      const tokens = [AUTH_URL, APP_URL, NOTES_URL].map((url) => browser.cookies.get(url, COOKIE));
      expect(new Set(tokens).size).toBe(3);
      for (const url of [APP_URL, NOTES_URL]) {
        const cookie = cookiesOf(browser, url === APP_URL ? NOTES_URL : APP_URL);
        expect((await send(url, { headers: { ...SCRIPT, cookie } })).status).toBe(401);
      }
    });

    test('neither forged headers from outside nor anything of ours reach an app', async () => {
      const browser = await site.onBothApps('plain');
      const forged = {
        'Remote-User': 'root',
        'Remote-Name': 'Root',
        'Remote-Email': 'root@evil.test',
        'Remote-Groups': 'admins',
        'X-Forwarded-For': '203.0.113.9',
        'X-Forwarded-Host': 'notes.example.net',
        'X-Forwarded-Proto': 'http',
        'X-Forwarded-Uri': '/status',
        'X-Forwarded-Method': 'DELETE',
        'X-Forwarded-Prefix': '/evil',
        Forwarded: 'host=evil.test',
        'X-Original-URL': 'https://app.example.org/status',
      };
      const cookie = `theme=dark; ${cookiesOf(browser)}; lang=en`;
      const answer = await send(APP_URL, {
        headers: { ...forged, cookie, authorization: 'Basic YWRhOng=', accept: '*/*' },
      });
      expect(answer.status).toBe(200);
      const { headers } = last();
      expect(headers).toMatchObject({
        'remote-user': 'plain',
        'remote-name': 'plain',
        cookie: 'theme=dark; lang=en',
        authorization: 'Basic YWRhOng=',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'app.example.org',
      });
      expect([headers['remote-email'] ?? '', headers['remote-groups'] ?? '']).toEqual(['', '']);
      expect(JSON.stringify(headers)).not.toMatch(
        /root|203\.0\.113|notes\.example|delete|\/status|evil|postern|pst[a-z]_/i,
      );
      expect((await send(`${APP_URL}/admin`, { headers: { ...forged, cookie, accept: '*/*' } })).status).toBe(
        403,
      );
      expect((await send(`${APP_URL}/page`, { headers: { ...forged, ...SCRIPT } })).status).toBe(401);
    });

    test.each(['Remote_User: root', 'Remote.User: root', 'remote_groups: admins'])(
      'an identity header in disguise does not reach an app: %s',
      async (header) => {
        const browser = await site.onBothApps('plain');
        const own = ['Host: app.example.org', `Cookie: ${cookiesOf(browser)}`];
        const before = site.app.received.length;
        const { status } = await rawHttps(site.mapping, 'app.example.org', 'GET / HTTP/1.1', ...own, header);
        // nginx drops them itself; Caddy passes them on, and the check refuses.
        expect(status).toBe(name === 'nginx' ? 200 : 400);
        const reached = site.app.received.slice(before).flatMap(({ headers }) => Object.keys(headers));
        expect(reached.filter((each) => /^remote[^-]/.test(each))).toEqual([]);
      },
    );

    test('a personal token opens its host and no other, and stays outside of the app', async () => {
      const browser = await site.onBothApps('scripter');
      const body = JSON.stringify({ label: 'cron', hosts: ['app.example.org'], expires_in: 3_600 });
      const made = await api(browser, '/api/v1/tokens', { method: 'POST', body });
      expect(made.status).toBe(201);
      const { secret, token } = (await made.json()) as { secret: string; token: { id: string } };
      const headers = { accept: '*/*', authorization: `Bearer ${secret}` };
      expect((await send(`${APP_URL}/api`, { method: 'POST', body: 'data', headers })).status).toBe(200);
      expect(last()).toMatchObject({ method: 'POST', body: 'data', headers: { 'remote-user': 'scripter' } });
      expect(JSON.stringify(last().headers)).not.toContain(secret);
      expect((await send(NOTES_URL, { headers })).status).toBe(401);
      expect((await send(`${AUTH_URL}/api/v1/session`, { headers })).status).toBe(401);
      expect((await api(browser, `/api/v1/tokens/${token.id}`, { method: 'DELETE' })).status).toBe(204);
      expect((await send(`${APP_URL}/api`, { headers })).status).toBe(401);
    });

    test('WebSockets pass, and know whose they are', async () => {
      const browser = await site.onBothApps('talker');
      const connect = (headers: Record<string, string>) =>
        openSocket(site.mapping, new URL(`${APP_URL}/socket`), headers);
      const cookie = cookiesOf(browser);
      expect(await connect({ cookie, origin: APP_URL })).toEqual({
        opened: true,
        messages: ['hello talker', 'ping'],
      });
      expect(await connect({ cookie, origin: SIBLING_URL })).toEqual({ opened: false, status: 403 });
      await browser.submit(`${AUTH_URL}/sign-out`);
      expect(await connect({ cookie, origin: APP_URL })).toEqual({ opened: false, status: 401 });
    });

    test('an attacker’s ticket is useless in another browser', async () => {
      const attacker = await site.onBothApps('mallory');
      attacker.cookies.store(new URL(APP_URL), [`${COOKIE}=; Path=/; Max-Age=0`]);
      const isFinish = ({ pathname }: URL) => pathname === '/.postern/finish';
      const { url: ticket } = await attacker.visit(APP_URL, {}, isFinish);
      expect(ticket.searchParams.get('ticket')).not.toBeNull();
      const victim = new MappedBrowser(site.mapping);
      await victim.visit(APP_URL);
      expect((await victim.visit(ticket)).response.status).toBe(403);
      expect(victim.cookies.get(APP_URL, COOKIE)).toBeUndefined();
      expect((await attacker.visit(ticket)).response.status).toBe(403);
    });

    describe('ending the session stops the next request on every host', () => {
      /** Signs somebody in, lets `end` end it, and asks again. */
      async function ends(subject: string, end: (browser: MappedBrowser) => Promise<unknown>) {
        const browser = await site.onBothApps(subject);
        const bystander = await site.onBothApps('bystander');
        expect(await askBoth(browser)).toEqual([200, 200]);
        await end(browser);
        expect(await askBoth(browser)).toEqual([401, 401]);
        expect((await browser.visit(APP_URL)).url.pathname).toBe('/sign-in');
        expect(await askBoth(bystander)).toEqual([200, 200]);
      }

      test('from the API', () =>
        ends('by-api', async (browser) => {
          const id = await browserSessionOf(browser);
          expect((await api(browser, `/api/v1/sessions/${id}`, { method: 'DELETE' })).status).toBe(204);
        }));

      test('everywhere, from the API of another browser', () =>
        ends('by-api-elsewhere', async () => {
          const other = await site.onBothApps('by-api-elsewhere');
          const answer = await api(other, '/api/v1/sessions?keep=current', { method: 'DELETE' });
          expect(answer.status).toBe(200);
          expect(await askBoth(other)).toEqual([200, 200]);
        }));

      test('from the page of one’s sessions in another browser', () =>
        ends('by-page', async (browser) => {
          const id = await browserSessionOf(browser);
          const other = await site.onBothApps('by-page');
          const { text } = await other.visit(`${AUTH_URL}/account/sessions`);
          expect(text).toContain(`value="${id}"`);
          const page = await other.submit(`${AUTH_URL}/account/sessions/end`, { id });
          expect(page.response.status).toBe(200);
          expect(page.text).not.toContain(id);
        }));

      test('by signing out', () => ends('by-button', (browser) => browser.submit(`${AUTH_URL}/sign-out`)));

      test('by an owner', () =>
        ends('by-owner', async (browser) => {
          const id = await browserSessionOf(browser);
          const owner = await site.onBothApps('ada');
          const { users } = (await (await api(owner, '/api/v1/users')).json()) as {
            users: { id: string; username: string }[];
          };
          const user = users.find(({ username }) => username === 'by-owner')?.id;
          const path = `/api/v1/users/${user}/sessions/${id}`;
          expect((await api(owner, path, { method: 'DELETE' })).status).toBe(204);
        }));

      test('by a logout token that names the session', () =>
        ends('by-sid', () => {
          const sid = site.provider.sidOf('by-sid');
          return site.provider.logOut('postern', { subject: 'by-sid', sid });
        }));

      test('by a logout token that names the person', () =>
        ends('by-sub', () => site.provider.logOut('postern', { subject: 'by-sub', sid: undefined })));

      test('by `postern session end`', () =>
        ends('by-command', async (browser) => {
          const id = await browserSessionOf(browser);
          expect(await site.appliance.run('session', 'end', id)).toMatchObject({ exitCode: 0 });
        }));

      test('by `postern session end-all` and `postern user disable`', async () => {
        await ends('by-end-all', async () => {
          expect(await site.appliance.run('session', 'end-all', 'by-end-all')).toMatchObject({ exitCode: 0 });
        });
        await ends('by-disable', async () => {
          expect(await site.appliance.run('user', 'disable', 'by-disable')).toMatchObject({ exitCode: 0 });
        });
      });

      test('of one host leaves the others', async () => {
        const browser = await site.onBothApps('one-host');
        const child = (await sessionsOf(browser)).find(({ host }) => host === 'app.example.org');
        const answer = await api(browser, `/api/v1/sessions/${child?.id}`, { method: 'DELETE' });
        expect(answer.status).toBe(204);
        expect(await askBoth(browser)).toEqual([401, 200]);
        expect((await browser.visit(APP_URL)).url.href).toBe(`${APP_URL}/`);
      });
    });

    test('sessions on every host survive a restart', async () => {
      const browser = await site.onBothApps('stayer');
      await site.appliance.restart();
      expect(await askBoth(browser)).toEqual([200, 200]);
    });

    test('who goes straight to Postern, past the proxy, gets nothing by forged headers', async () => {
      const browser = await site.onBothApps('plain');
      const { port } = site.appliance;
      const direct = (headers: Record<string, string>) =>
        new Browser().fetch(`http://127.0.0.1:${port}/forward-auth`, { headers });
      expect((await direct({ host: 'evil.test' })).status).toBeGreaterThanOrEqual(400);
      const url = { 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'https', 'x-forwarded-uri': '/' };
      const answer = await direct({ ...url, 'x-forwarded-method': 'GET', cookie: cookiesOf(browser) });
      expect(answer.status).toBe(403);
      expect(answer.headers.get('remote-user')).toBeNull();
    });
  });
}
