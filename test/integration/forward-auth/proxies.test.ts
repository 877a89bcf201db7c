import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { fetchMapped, MappedBrowser } from '../../support/mapped-browser.ts';
import {
  APP_URL,
  AUTH_URL,
  NOTES_URL,
  type ProtectedSite,
  type ProxyName,
  protectedSite,
  SIBLING_URL,
} from '../../support/protected-site.ts';
import { rawHttps } from '../../support/raw-https.ts';
import { openSocket, type SocketOutcome } from '../../support/web-socket.ts';

setDefaultTimeout(30_000);

const COOKIE = '__Host-postern';
const PAGE = '/page/%C3%A4?a=1&b=/x?y&c=%26';
const FORGED = {
  'remote-user': 'root',
  'remote-name': 'Root',
  'remote-email': 'r@x.test',
  'remote-groups': 'admins',
};
const SCRIPT = { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };

describe.each<ProxyName>(['nginx', 'caddy'])('behind %s', (name) => {
  let site: ProtectedSite;
  beforeAll(async () => {
    site = await protectedSite(name);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const send = (url: string, init: RequestInit = {}) => fetchMapped(site.mapping, new URL(url), init);
  const last = (app = site.app) => {
    const received = app.received.at(-1);
    if (received === undefined) throw new Error('nothing reached the app');
    return received;
  };
  const cookiesOf = (browser: MappedBrowser, url = APP_URL) => browser.cookies.header(new URL(url));
  let people = 0;
  const somebody = async (groups: string[] = []) => {
    const user = await site.addUser(`person-${++people}`, groups);
    const browser = await site.signedIn(user);
    await browser.visit(APP_URL);
    return { user, browser };
  };

  /** Fills the form of the sign-in page in and goes where it leads, over the page between. */
  const signIn = async (browser: MappedBrowser, { searchParams }: URL, username: string) => {
    const form = { username, password: GOOD_PASSWORD, return_to: searchParams.get('return_to') ?? '' };
    const { response } = await browser.submit(`${AUTH_URL}/sign-in`, form);
    const [, onward = ''] = /^0; url=(.*)$/.exec(response.headers.get('refresh') ?? '') ?? [];
    return browser.visit(new URL(onward, AUTH_URL), { headers: { 'sec-fetch-site': 'same-origin' } });
  };

  test('nobody is sent to sign-in, and comes back to the page asked for with a cookie of that host alone', async () => {
    const { username } = await site.addUser(`newcomer`);
    const browser = new MappedBrowser(site.mapping);
    const asked = await browser.visit(APP_URL + PAGE);
    expect(asked.url.origin + asked.url.pathname).toBe(`${AUTH_URL}/sign-in`);

    const page = await signIn(browser, asked.url, username);
    expect([page.url.href, page.response.status]).toEqual([APP_URL + PAGE, 200]);
    expect(last().target).toBe(PAGE);
    expect(last().headers).toMatchObject({ 'remote-user': 'newcomer', 'remote-name': 'newcomer' });
    expect(browser.cookies.names(APP_URL).toSorted()).toEqual([COOKIE, `${COOKIE}-rounds`]);
    expect(browser.cookies.names(NOTES_URL)).toEqual([]);
    expect(browser.cookies.names(SIBLING_URL)).toEqual([]);
  });

  test('who is signed in opens another host without being asked, and gets a cookie of its own there', async () => {
    const { user, browser } = await somebody();
    const { url, path } = await browser.visit(`${NOTES_URL}/n`);
    expect(url.href).toBe(`${NOTES_URL}/n`);
    expect(path.filter((each) => each.includes('/sign-in'))).toEqual([]);
    expect(last(site.notes).headers['remote-user']).toBe(user.username);
    expect(browser.cookies.get(NOTES_URL, COOKIE)).not.toBe(browser.cookies.get(APP_URL, COOKIE));

    const elsewhere = await send(NOTES_URL, { headers: { ...SCRIPT, cookie: cookiesOf(browser) } });
    expect(elsewhere.status).toBe(401);
  });

  test('neither forged headers nor anything of ours reaches the app, and what is its own does', async () => {
    const { user, browser } = await somebody(['staff']);
    const cookie = `theme=dark; ${cookiesOf(browser)}; ${COOKIE}-flow-x=y; lang=en`;
    const headers = { ...FORGED, cookie, authorization: 'Basic YWRhOng=', accept: '*/*' };
    expect((await send(APP_URL, { headers })).status).toBe(200);
    const { headers: reached } = last();
    expect(reached).toMatchObject({
      'remote-user': user.username,
      'remote-groups': 'staff',
      cookie: 'theme=dark; lang=en',
      authorization: 'Basic YWRhOng=',
    });
    expect(reached['remote-email'] ?? '').toBe('');
    expect(JSON.stringify(reached)).not.toMatch(/postern|pst[a-z]_/);
  });

  test('nobody has the proxy drop the headers that tell the app who they are', async () => {
    const { user, browser } = await somebody(['staff']);
    const cookie = `Cookie: ${cookiesOf(browser)}`;
    for (const names of ['Remote-User, Remote-Groups', 'close, remote-groups', 'Remote-User']) {
      const before = site.app.received.length;
      const lines = ['Host: app.example.org', cookie, `Connection: ${names}`];
      await rawHttps(site.mapping, 'app.example.org', 'GET /p HTTP/1.1', ...lines);
      for (const { headers } of site.app.received.slice(before)) {
        expect(headers).toMatchObject({ 'remote-user': user.username, 'remote-groups': 'staff' });
      }
    }
  });

  test('no upgrade but that of a WebSocket reaches the app', async () => {
    const settings = 'HTTP2-Settings: AAMAAABkAAQAAP__';
    const attempts = [
      ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', settings],
      ['Connection: Upgrade', 'Upgrade: h2c', settings],
      ['Connection: Upgrade', 'Upgrade: h2c', 'Upgrade: websocket'],
      ['Connection: Upgrade', 'Upgrade: h2c, websocket'],
      ['Connection: Upgrade', 'Upgrade: TLS/1.2'],
    ];
    for (const lines of attempts) {
      const before = site.app.received.length;
      await rawHttps(
        site.mapping,
        'app.example.org',
        'GET /status HTTP/1.1',
        'Host: app.example.org',
        ...lines,
      );
      for (const { headers } of site.app.received.slice(before)) {
        expect(headers['upgrade'] ?? 'websocket').toBe('websocket');
      }
    }
  });

  test('nothing stands where there is nothing to say', async () => {
    const { browser } = await somebody();
    const headers = { ...FORGED, cookie: cookiesOf(browser), accept: '*/*' };
    await send(APP_URL, { headers });
    for (const header of ['remote-email', 'remote-groups', 'cookie', 'authorization']) {
      expect(last().headers[header] ?? '').toBe('');
    }
  });

  test('a script is told that nobody is signed in', async () => {
    for (const init of [{ headers: SCRIPT }, { method: 'POST', body: 'x', headers: SCRIPT }]) {
      const response = await send(`${APP_URL}/api`, init);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ status: 401, code: 'not_signed_in' });
    }
  });

  test('rules decide by path', async () => {
    const { browser } = await somebody();
    const admin = await somebody(['admins']);
    const open = (path: string, by: MappedBrowser) =>
      send(APP_URL + path, { headers: { cookie: cookiesOf(by), accept: '*/*' } });
    expect((await open('/admin/x', browser)).status).toBe(403);
    expect((await open('/ADMIN', browser)).status).toBe(403);
    expect((await open('/administration', browser)).status).toBe(200);
    expect((await open('/admin/x', admin.browser)).status).toBe(200);
  });

  test('a public path needs nobody, and brings nobody', async () => {
    const { browser } = await somebody();
    const headers = { ...FORGED, cookie: `${cookiesOf(browser)}; theme=dark`, accept: '*/*' };
    expect((await send(`${APP_URL}/status`, { headers })).status).toBe(200);
    expect(last().headers['remote-user'] ?? '').toBe('');
    expect(last().headers['remote-groups'] ?? '').toBe('');
    expect(last().headers['cookie']).toBe('theme=dark');
    expect((await send(`${APP_URL}/status`, { headers: { accept: 'text/html' } })).status).toBe(200);
  });

  test('a personal token opens its host, and stays outside of the app', async () => {
    const user = await site.addUser('token-holder');
    const token = await site.tokenFor(user, 'app.example.org');
    const headers = { accept: '*/*', authorization: `Bearer ${token}` };
    const response = await send(`${APP_URL}/api`, { method: 'POST', body: 'data', headers });
    expect(response.status).toBe(200);
    expect(last()).toMatchObject({
      method: 'POST',
      body: 'data',
      headers: { 'remote-user': 'token-holder' },
    });
    expect(last().headers['authorization'] ?? '').toBe('');
    expect((await send(NOTES_URL, { headers })).status).toBe(401);
  });

  test.each([
    '/status/../admin',
    '/status/%2e%2e/admin',
    '/status/..%2fadmin',
    '/status%2f..%2fadmin',
    '/status/..;/admin',
    '/status//admin',
    '/status/%252e%252e/admin',
    '/status/..\\admin',
    '/status/%5c..%5cadmin',
    '/status/%c0%ae%c0%ae/admin',
  ])('an ambiguous path gets nowhere: %s', async (path) => {
    const before = site.app.received.length;
    const { status } = await rawHttps(
      site.mapping,
      'app.example.org',
      `GET ${path} HTTP/1.1`,
      'Host: app.example.org',
    );
    expect(name === 'caddy' ? [400] : [400, 403]).toContain(status);
    expect(site.app.received.length).toBe(before);
  });

  test('the host of a rule cannot be chosen by the client', async () => {
    const reach = async (line: string, ...headers: string[]) => {
      const before = site.app.received.length + site.notes.received.length;
      const { status } = await rawHttps(site.mapping, 'app.example.org', line, ...headers);
      return [status, site.app.received.length + site.notes.received.length - before];
    };
    const public_ = 'X-Original-URL: https://app.example.org/status';
    const forwarded = [
      'X-Forwarded-Uri: /status',
      'X-Forwarded-Host: app.example.org',
      'X-Forwarded-Method: GET',
    ];
    expect(await reach('GET /x HTTP/1.1', 'Host: app.example.org', public_)).toEqual([401, 0]);
    expect(await reach('GET /x HTTP/1.1', 'Host: app.example.org', ...forwarded)).toEqual([401, 0]);
    expect(await reach('GET https://notes.example.net/status HTTP/1.1', 'Host: app.example.org')).toEqual([
      401, 0,
    ]);
    const [status, reached] = await reach('GET /status HTTP/1.1', 'Host: app.example.org.evil.test');
    expect(reached).toBe(0);
    expect(status).not.toBe(500);
  });

  test('an identity header in disguise does not reach the app', async () => {
    const { browser } = await somebody();
    const line = 'GET /x HTTP/1.1';
    const headers = [
      'Host: app.example.org',
      `Cookie: ${cookiesOf(browser)}`,
      'Remote_User: root',
      'Remote.Groups: admins',
    ];
    const { status } = await rawHttps(site.mapping, 'app.example.org', line, ...headers);
    // nginx drops such headers itself.
    expect(status).toBe(name === 'nginx' ? 200 : 400);
    expect(Object.keys(last().headers).filter((header) => /^remote[^-]/.test(header))).toEqual([]);
  });

  test('a form of a page of the host passes with its body, one of a sibling does not', async () => {
    const { browser } = await somebody();
    const post = (origin: string) =>
      send(`${APP_URL}/form`, {
        method: 'POST',
        body: 'field=value',
        headers: { cookie: cookiesOf(browser), origin, accept: 'text/html', 'content-type': 'text/plain' },
      });
    expect((await post(APP_URL)).status).toBe(200);
    expect(last()).toMatchObject({ method: 'POST', target: '/form', body: 'field=value' });
    const before = site.app.received.length;
    expect((await post(SIBLING_URL)).status).toBe(403);
    expect((await post(AUTH_URL)).status).toBe(403);
    expect(site.app.received.length).toBe(before);
  });

  test('a WebSocket of a page of the host passes, and knows whose it is', async () => {
    const { user, browser } = await somebody();
    const connect = (headers: Record<string, string>): Promise<SocketOutcome> =>
      openSocket(site.mapping, new URL(`${APP_URL}/socket`), headers);
    const cookie = cookiesOf(browser);
    const opened = await connect({ cookie, origin: APP_URL });
    expect(opened).toEqual({ opened: true, messages: [`hello ${user.username}`, 'ping'] });
    expect(last().headers['cookie'] ?? '').toBe('');
    expect(await connect({ cookie, origin: SIBLING_URL })).toEqual({ opened: false, status: 403 });
    expect(await connect({ cookie })).toEqual({ opened: false, status: 403 });
    expect(await connect({ origin: APP_URL })).toEqual({ opened: false, status: 401 });
  });

  test('ending the session stops the next request on every host', async () => {
    const { user, browser } = await somebody();
    await browser.visit(NOTES_URL);
    const ask = (url: string) => send(url, { headers: { ...SCRIPT, cookie: cookiesOf(browser, url) } });
    expect([(await ask(APP_URL)).status, (await ask(NOTES_URL)).status]).toEqual([200, 200]);
    await browser.submit(`${AUTH_URL}/sign-out`);
    expect([(await ask(APP_URL)).status, (await ask(NOTES_URL)).status]).toEqual([401, 401]);
    expect((await browser.visit(APP_URL)).url.href).toStartWith(`${AUTH_URL}/sign-in`);

    const again = await site.signedIn(user);
    await again.visit(APP_URL);
    await site.services.ledger.endAll(user.id, { reason: 'everywhere' });
    expect((await send(APP_URL, { headers: { ...SCRIPT, cookie: cookiesOf(again) } })).status).toBe(401);
  });

  test('an attacker’s ticket is useless in another browser', async () => {
    const attacker = await site.signedIn(await site.addUser('attacker'));
    const { url: ticket } = await attacker.visit(
      APP_URL,
      {},
      ({ pathname }) => pathname === '/.postern/finish',
    );
    expect(ticket.searchParams.get('ticket')).not.toBeNull();
    const victim = new MappedBrowser(site.mapping);
    await victim.visit(APP_URL);
    const { response } = await victim.visit(ticket);
    expect(response.status).toBe(403);
    expect(victim.cookies.get(APP_URL, COOKIE)).toBeUndefined();
    expect((await attacker.visit(ticket)).response.status).toBe(403);
  });

  test('many cookies of the app’s own pass', async () => {
    const { browser } = await somebody();
    const own = Array.from({ length: 10 }, (_, each) => `c${each}=${'x'.repeat(600)}`).join('; ');
    const response = await send(APP_URL, {
      headers: { cookie: `${cookiesOf(browser)}; ${own}`, accept: '*/*' },
    });
    expect(response.status).toBe(200);
    expect(last().headers['cookie']).toBe(own);
  });

  test('the longest deep link survives sign-in', async () => {
    const { username } = await site.addUser('deep-linker');
    const path = `/search?q=${'%20x'.repeat(509)}`;
    const browser = new MappedBrowser(site.mapping);
    const page = await browser.visit(APP_URL + path);
    expect((await signIn(browser, page.url, username)).url.href).toBe(APP_URL + path);
  });

  test('what Postern shows on a protected host finds its style', async () => {
    const response = await send(`${APP_URL}/.postern/finish?ticket=x`, { headers: { accept: 'text/html' } });
    const [style = ''] = /\/\.postern\/assets\/postern\.[0-9a-f]+\.css/.exec(await response.text()) ?? [];
    expect((await send(APP_URL + style)).headers.get('content-type')).toBe('text/css; charset=utf-8');
  });

  test('the check itself cannot be reached from outside', async () => {
    for (const path of ['/.postern/check', '/.postern/forward-auth', '/.postern/forward-auth/nginx']) {
      expect((await send(APP_URL + path, { headers: SCRIPT })).status).toBe(404);
    }
  });
});
