import { describe, expect, test } from 'bun:test';
import { hostTickets as ticketTable } from '../../../src/db/schema/index.ts';
import { MAX_FLOWS, MAX_RETURN_LENGTH, MAX_ROUNDS } from '../../../src/forward-auth/constants.ts';
import { safeReturnTo } from '../../../src/http/return-to.ts';
import type { UserId } from '../../../src/users/model.ts';
import { APP, aRule, NOTES, type TestForwardAuth, temporaryForwardAuth } from '../../support/forward-auth.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { MappedBrowser } from '../../support/mapped-browser.ts';

const APP_URL = `https://${APP}`;
const PAGE = '/page?a=1&b=/x?y';
const COOKIE = '__Host-postern';

/** A browser in which somebody is signed in at the appliance. */
async function signedInBrowser(forwardAuth: TestForwardAuth, known?: UserId) {
  const userId = known ?? (await forwardAuth.addUser());
  const parent = await forwardAuth.signIn(userId);
  const browser = new MappedBrowser(forwardAuth);
  browser.cookies.store(new URL(TEST_ORIGIN), [`${COOKIE}=${parent.token}; Path=/`]);
  return { userId, parent, browser };
}

const startUrl = (path = PAGE, host = APP_URL) => `${host}/.postern/start?${path}`;
const isFinish = (url: URL) => url.pathname === '/.postern/finish';
const isPage = (url: URL) => !url.pathname.startsWith('/.postern/') && url.host !== 'auth.example.test';

/** Follows the sign-in up to the page it leads to. */
const open = (browser: MappedBrowser, path = PAGE, host = APP_URL) =>
  browser.visit(startUrl(path, host), {}, isPage);

/** A ticket that `browser` has got and not used. */
async function ticketOf(browser: MappedBrowser, path = PAGE): Promise<URL> {
  const { url } = await browser.visit(startUrl(path), {}, isFinish);
  expect(isFinish(url)).toBe(true);
  return url;
}

function checkWith(forwardAuth: TestForwardAuth, browser: MappedBrowser, host = APP): Promise<Response> {
  return forwardAuth.check({ host, headers: { cookie: browser.cookies.header(new URL(`https://${host}`)) } });
}

describe('the way to a session of a protected host', () => {
  test('leads somebody who is signed in back to the page asked for', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, parent } = await signedInBrowser(forwardAuth);
    const { url, path, response } = await open(browser);
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
    const child = forwardAuth.ledger
      .list(parent.session.userId)
      .find(({ parentId }) => parentId !== undefined);
    expect(child).toMatchObject({ parentId: parent.session.id, audience: [`host:${APP}`] });
  });

  test('leaves cookies of that host alone, and no flow behind', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const { response } = await open(browser);
    expect(browser.cookies.names(APP_URL).toSorted()).toEqual([COOKIE, `${COOKIE}-rounds`]);
    expect(browser.cookies.names(`https://${NOTES}`)).toEqual([]);
    expect(browser.cookies.names(TEST_ORIGIN)).toEqual([COOKIE]);
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
    browser.cookies.store(new URL(TEST_ORIGIN), [`${COOKIE}=${token}; Path=/`]);
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
    await open(browser);
    await open(browser, '/', `https://${NOTES}`);
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
    expect(forwardAuth.ledger.list(userId).length).toBe(2);
    expect(browser.cookies.names(APP_URL).filter((name) => name.includes('flow'))).toEqual([]);
  });

  test('is short for who has a session there', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    await open(browser);
    const { path, url } = await open(browser, '/other');
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

describe('a ticket', () => {
  test('is useless in another browser, and used up by it', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const attacker = await signedInBrowser(forwardAuth);
    const victim = new MappedBrowser(forwardAuth);
    await victim.fetch(startUrl());
    const ticket = await ticketOf(attacker.browser);

    const stolen = await victim.visit(ticket);
    expect(stolen.response.status).toBe(403);
    expect(victim.cookies.get(APP_URL, COOKIE)).toBeUndefined();
    expect((await attacker.browser.visit(ticket)).response.status).toBe(403);
    expect((await checkWith(forwardAuth, attacker.browser)).status).toBe(401);
    expect(await forwardAuth.refusals()).toMatchObject([
      { action: 'forward_auth.ticket', reason: 'other_browser', host: APP },
      { action: 'forward_auth.ticket', reason: 'unknown', host: APP },
    ]);
  });

  test('of a link that somebody else made brings its maker nothing', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const attacker = new MappedBrowser(forwardAuth);
    const link = (await attacker.fetch(startUrl())).headers.get('location') ?? '';
    const victim = await signedInBrowser(forwardAuth);
    const { response } = await victim.browser.visit(link);
    expect(response.status).toBe(403);
    expect(victim.browser.cookies.get(APP_URL, COOKIE)).toBeUndefined();
  });

  test('works once', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, userId } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    await browser.visit(ticket, {}, isPage);
    expect((await browser.visit(ticket)).response.status).toBe(403);
    expect(forwardAuth.ledger.list(userId).length).toBe(2);
  });

  test('has one winner when it is presented many times at once', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, userId } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    const answers = await Promise.all(Array.from({ length: 8 }, () => browser.fetch(ticket)));
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual([
      '303',
      ...Array.from({ length: 7 }, () => '403'),
    ]);
    expect(forwardAuth.ledger.list(userId).length).toBe(2);
  });

  test('works at its own host alone', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    const elsewhere = new URL(ticket);
    elsewhere.host = NOTES;
    expect((await browser.visit(elsewhere)).response.status).toBe(403);
    expect((await browser.visit(ticket)).response.status).toBe(403);
    expect(await forwardAuth.refusals()).toMatchObject([{ reason: 'other_host' }, { reason: 'unknown' }]);
  });

  test('works for a minute', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    await forwardAuth.clock.advance(60_000);
    expect((await browser.visit(ticket)).response.status).toBe(403);
    expect(await forwardAuth.refusals()).toMatchObject([{ reason: 'expired' }]);
  });

  test('goes with the session that asked for it', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, parent } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    await forwardAuth.ledger.end(parent.session.id, { reason: 'signed_out' });
    expect(forwardAuth.db.reader.select().from(ticketTable).all()).toEqual([]);
    expect((await browser.visit(ticket)).response.status).toBe(403);
    expect(browser.cookies.get(APP_URL, COOKIE)).toBeUndefined();
  });

  test('is nothing when the session that asked for it ran out meanwhile', async () => {
    await using forwardAuth = temporaryForwardAuth({ sessions: { absolute_lifetime: 30_000 } });
    const { browser } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    await forwardAuth.clock.advance(30_000);
    expect((await browser.visit(ticket)).response.status).toBe(403);
    expect(await forwardAuth.refusals()).toMatchObject([{ reason: 'session_ended' }]);
  });

  test('is kept as a hash', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const ticket = (await ticketOf(browser)).searchParams.get('ticket') ?? '';
    const rows = forwardAuth.db.reader.select().from(ticketTable).all();
    expect(rows.length).toBe(1);
    expect(JSON.stringify(rows)).not.toContain(ticket);
  });

  test('that nobody came back with is deleted', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    await ticketOf(browser);
    await forwardAuth.clock.advance(60_000);
    const { deleteExpired } = forwardAuth.forwardAuth.reapTask;
    expect(await forwardAuth.db.write((tx) => deleteExpired(tx, forwardAuth.clock.now() - 1, 10))).toBe(0);
    expect(await forwardAuth.db.write((tx) => deleteExpired(tx, forwardAuth.clock.now(), 10))).toBe(1);
  });

  test.each(['', '?ticket=', '?ticket=x', `?ticket=${'a'.repeat(43)}`, `?ticket=${'a'.repeat(4_000)}`])(
    'that is none is refused: %s',
    async (query) => {
      await using forwardAuth = temporaryForwardAuth();
      const response = await new MappedBrowser(forwardAuth).fetch(`${APP_URL}/.postern/finish${query}`);
      expect([response.status, response.headers.getSetCookie()]).toEqual([403, []]);
    },
  );
});

describe('a link to the ticket page', () => {
  const variants: [string, (link: URL, other: URL) => void][] = [
    ['without its flow', (link) => link.searchParams.delete('flow')],
    ['without its target', (link) => link.searchParams.delete('to')],
    [
      'with a target that was changed',
      (link) => link.searchParams.set('to', `A${link.searchParams.get('to')?.slice(1)}`),
    ],
    [
      'with the target of another flow',
      (link, other) => link.searchParams.set('to', other.searchParams.get('to') ?? ''),
    ],
    [
      'with the hash of another flow',
      (link, other) => link.searchParams.set('flow', other.searchParams.get('flow') ?? ''),
    ],
  ];

  test.each(variants)('%s is stale', async (_what, change) => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const [link, other] = [await browser.fetch(startUrl()), await browser.fetch(startUrl())].map(
      ({ headers }) => new URL(headers.get('location') ?? ''),
    );
    if (link === undefined || other === undefined) throw new Error('no link');
    change(link, other);
    const response = await browser.fetch(link);
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('Open the page you wanted'),
    ]);
  });

  test('is stale after ten minutes', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const link = (await browser.fetch(startUrl())).headers.get('location') ?? '';
    await forwardAuth.clock.advance(600_000);
    expect((await browser.fetch(link)).status).toBe(400);
  });

  test('with a parameter twice is refused', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser } = await signedInBrowser(forwardAuth);
    const link = (await browser.fetch(startUrl())).headers.get('location') ?? '';
    expect((await browser.fetch(`${link}&flow=x`)).status).toBe(400);
    expect((await browser.fetch(`${APP_URL}/.postern/finish?ticket=a&ticket=b`)).status).toBe(400);
  });

  test('tells somebody who may not open the page, and is noted', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, userId } = await signedInBrowser(forwardAuth);
    const { response, text } = await browser.visit(startUrl('/staff/x'));
    expect(response.status).toBe(403);
    expect(text).toContain(APP);
    expect(await forwardAuth.refusals()).toMatchObject([
      { action: 'forward_auth.denied', reason: 'not_allowed', host: APP, actorUserId: userId },
    ]);
    expect(forwardAuth.db.reader.select().from(ticketTable).all()).toEqual([]);
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
    const names = Array.from({ length: 2 * MAX_FLOWS }, (_, index) => `${COOKIE}-flow-(${index})`);
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
      expect((await open(browser)).url.href).toBe(APP_URL + PAGE);
    }
    const { response, text } = await browser.visit(startUrl());
    expect(response.status).toBe(403);
    expect(text).toContain('Sign-in goes round in circles');
    expect((await open(browser)).url.href).toBe(APP_URL + PAGE);
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
    expect((await open(browser, path)).url.href).toBe(APP_URL + target);
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
