import { describe, expect, test } from 'bun:test';
import { MAX_FLOWS, MAX_RETURN_LENGTH, MAX_ROUNDS } from '../../../src/forward-auth/constants.ts';
import { safeReturnTo } from '../../../src/http/return-to.ts';
import { APP, aRule, NOTES, temporaryForwardAuth } from '../../support/forward-auth.ts';
import { HOST_COOKIE } from '../../support/host-check.ts';
import {
  APP_URL,
  checkWith,
  isPage,
  openPage,
  PAGE,
  signedInBrowser,
  startUrl,
  ticketOf,
} from '../../support/host-sign-in.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { MappedBrowser } from '../../support/mapped-browser.ts';

describe('the way to a session of a protected host', () => {
  test('leads somebody who is signed in back to the page asked for', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, parent } = await signedInBrowser(forwardAuth);
    const { url, path, response } = await openPage(browser);
    expect(url.href).toBe(APP_URL + PAGE);
    expect(path.map((each) => new URL(each).host + new URL(each).pathname)).toEqual([
      `${APP}/.postern/start`,
      'auth.example.test/host-ticket',
      `${APP}/.postern/finish`,
    ]);
    expect([
      response.status,
      response.headers.get('cache-control'),
      response.headers.get('referrer-policy'),
    ]).toEqual([303, 'no-store', 'no-referrer']);
    expect((await checkWith(forwardAuth, browser)).status).toBe(200);
    const sessions = await forwardAuth.ledger.list(parent.session.userId);
    const child = sessions.find(({ parentId }) => parentId !== undefined);
    expect(child).toMatchObject({ parentId: parent.session.id, audience: [`host:${APP}`] });
  });

  test('leaves cookies of that host alone, and no flow behind', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const { response } = await openPage(browser);
    expect(browser.cookies.names(APP_URL).toSorted()).toEqual([HOST_COOKIE, `${HOST_COOKIE}-rounds`]);
    expect(browser.cookies.names(`https://${NOTES}`)).toEqual([]);
    expect(browser.cookies.names(TEST_ORIGIN)).toEqual([HOST_COOKIE]);
    const [session = ''] = response.headers.getSetCookie();
    expect(session).toMatch(
      /^__Host-postern=pstc_[\w-]+; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure$/,
    );
  });

  test('goes through sign-in first where that is needed', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const browser = new MappedBrowser(forwardAuth);
    const { url, response, path } = await browser.visit(
      startUrl(),
      {},
      ({ pathname }) => pathname === '/sign-in',
    );
    expect(response.status).toBe(303);
    const returnTo = url.searchParams.get('return_to') ?? '';
    expect(TEST_ORIGIN + returnTo).toBe(`${path.at(-1)}&signed_in=1`);

    const userId = await forwardAuth.addUser();
    const { token } = await forwardAuth.signIn(userId);
    browser.cookies.store(new URL(TEST_ORIGIN), [`${HOST_COOKIE}=${token}; Path=/`]);
    const fromOwnPage = { headers: { 'sec-fetch-site': 'same-origin' } };
    expect((await browser.visit(TEST_ORIGIN + returnTo, fromOwnPage, isPage)).url.href).toBe(APP_URL + PAGE);
    expect((await checkWith(forwardAuth, browser)).status).toBe(200);
  });

  test('leaves by a page after sign-in at a provider, whose form allows no redirect to the host', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const link = (await browser.fetch(startUrl())).headers.get('location') ?? '';
    const headers = { 'sec-fetch-site': 'cross-site' };
    const response = await browser.fetch(`${link}&signed_in=1`, { headers });
    expect([response.status, response.headers.get('referrer-policy')]).toEqual([200, 'no-referrer']);
    const [, onward = ''] = /^0; url=(.*)$/.exec(response.headers.get('refresh') ?? '') ?? [];
    expect((await browser.visit(onward, {}, isPage)).url.href).toBe(APP_URL + PAGE);
  });

  test('takes the longest path there is through sign-in', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const browser = new MappedBrowser(forwardAuth);
    const path = `/x?${'"'.repeat(MAX_RETURN_LENGTH - 3)}`;
    const { url } = await browser.visit(startUrl(path), {}, ({ pathname }) => pathname === '/sign-in');
    const returnTo = url.searchParams.get('return_to') ?? '';
    expect(safeReturnTo(returnTo, () => false, '/')).toBe(returnTo);
  });

  test('begins with a flow cookie of 256 bits, for ten minutes', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const response = await new MappedBrowser(forwardAuth).fetch(startUrl());
    const [flow = '', ...more] = response.headers.getSetCookie();
    expect(more).toEqual([]);
    expect(flow).toMatch(
      /^__Host-postern-flow-[\w-]+=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
    );
    const location = new URL(response.headers.get('location') ?? '');
    expect(location.origin + location.pathname).toBe(`${TEST_ORIGIN}/host-ticket`);
    expect(location.href).not.toContain('page');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('ends for every host with the session at the appliance', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, userId } = await signedInBrowser(forwardAuth);
    await openPage(browser);
    await openPage(browser, '/', `https://${NOTES}`);
    expect((await checkWith(forwardAuth, browser, NOTES)).status).toBe(200);
    await forwardAuth.ledger.endAll(userId, { reason: 'everywhere' });
    expect((await checkWith(forwardAuth, browser)).status).toBe(401);
    expect((await checkWith(forwardAuth, browser, NOTES)).status).toBe(401);
    expect((await browser.visit(startUrl())).url.pathname).toBe('/sign-in');
  });

  test('serves two tabs at once, with one session', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, userId } = await signedInBrowser(forwardAuth);
    const first = await ticketOf(browser, '/one');
    const second = await ticketOf(browser, '/two');
    expect((await browser.visit(second, {}, isPage)).url.pathname).toBe('/two');
    expect((await browser.visit(first, {}, isPage)).url.pathname).toBe('/one');
    expect((await checkWith(forwardAuth, browser)).status).toBe(200);
    expect((await forwardAuth.ledger.list(userId)).length).toBe(2);
    expect(browser.cookies.names(APP_URL).filter((name) => name.includes('flow'))).toEqual([]);
  });

  test('is short for who has a session there', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    await openPage(browser);
    const { path, url } = await openPage(browser, '/other');
    expect([path.length, url.href]).toEqual([1, `${APP_URL}/other`]);
  });

  test('works on loopback over http', async () => {
    const host = 'app.localhost:8080';
    const origin = 'http://localhost:7400';
    await using forwardAuth = temporaryForwardAuth({ origin, rules: [aRule({ host })] });
    const { token } = await forwardAuth.signIn(await forwardAuth.addUser());
    const browser = new MappedBrowser(forwardAuth);
    browser.cookies.store(new URL(origin), [`postern_7400=${token}; Path=/`]);
    const { url, response } = await browser.visit(
      startUrl(PAGE, `http://${host}`),
      {},
      ({ pathname }) => pathname === '/page',
    );
    expect(url.href).toBe(`http://${host}${PAGE}`);
    expect(response.headers.getSetCookie()[0]).toMatch(
      /^postern_8080=pstc_[\w-]+; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Lax$/,
    );
  });
});

describe('a browser', () => {
  test('keeps few flows, the newest ones', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    for (let each = 0; each < 3 * MAX_FLOWS; each++) {
      await browser.fetch(startUrl());
      await forwardAuth.clock.advance(1_000);
    }
    const names = browser.cookies.names(APP_URL);
    expect(names.length).toBe(MAX_FLOWS);
    const ticket = await ticketOf(browser);
    expect((await browser.visit(ticket, {}, isPage)).url.href).toBe(APP_URL + PAGE);
  });

  test('loses no flow to the images of another page', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    await browser.fetch(startUrl());
    const held = browser.cookies.names(APP_URL);
    const image = { 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'same-site' };
    for (const headers of [image, { 'sec-fetch-dest': 'document', 'sec-purpose': 'prefetch' }]) {
      for (let each = 0; each <= MAX_FLOWS; each++) {
        expect((await browser.fetch(startUrl(), { headers })).status).toBe(403);
      }
    }
    expect(browser.cookies.names(APP_URL)).toEqual(held);
  });

  test('is told to keep no name that it made up', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const names = Array.from({ length: 2 * MAX_FLOWS }, (_, index) => `${HOST_COOKIE}-flow-(${index})`);
    const cookie = names.map((name) => `${name}=x`).join('; ');
    const response = await browser.fetch(startUrl(), { headers: { cookie } });
    const set = response.headers.getSetCookie();
    expect(set.map((each) => each.split('=')[0])).toEqual([
      expect.stringMatching(/^__Host-postern-flow-\w+/),
    ]);
  });

  test('does not go round in circles where the proxy hides its cookie from the check', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      expect((await openPage(browser)).url.href).toBe(APP_URL + PAGE);
    }
    const { response, text } = await browser.visit(startUrl());
    expect(response.status).toBe(403);
    expect(text).toContain('Sign-in goes round in circles');
    expect((await openPage(browser)).url.href).toBe(APP_URL + PAGE);
  });

  test.each([
    ['//evil.example.test/', '/'],
    ['https://evil.example.test/', '/'],
    ['/\\evil.example.test', '/'],
    ['/a/../../b', '/'],
    ['/.postern/start?/x', '/'],
    ['/x?to=https://evil.example.test/', '/x?to=https://evil.example.test/'],
    ['', '/'],
  ])('that began at %j comes back to %j of the host', async (path, target) => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    expect((await openPage(browser, path)).url.href).toBe(APP_URL + target);
  });
});

describe('the paths of sign-in', () => {
  test('are not there on other hosts', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const browser = new MappedBrowser(forwardAuth);
    for (const path of ['/.postern/start', '/.postern/finish']) {
      expect((await browser.fetch(TEST_ORIGIN + path)).status).toBe(404);
      expect((await browser.fetch(`https://other.example.test${path}`)).status).toBe(421);
    }
  });

  test('take GET alone', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const browser = new MappedBrowser(forwardAuth);
    for (const url of [startUrl(), `${APP_URL}/.postern/finish`, `${TEST_ORIGIN}/host-ticket`]) {
      expect((await browser.fetch(url, { method: 'POST' })).status).toBe(405);
    }
  });
});
