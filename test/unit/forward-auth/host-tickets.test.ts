import { describe, expect, test } from 'bun:test';
import { hostTickets as ticketTable } from '../../../src/db/schema/index.ts';
import { APP, NOTES, temporaryForwardAuth } from '../../support/forward-auth.ts';
import { HOST_COOKIE } from '../../support/host-check.ts';
import {
  APP_URL,
  checkWith,
  isPage,
  signedInBrowser,
  startUrl,
  ticketOf,
} from '../../support/host-sign-in.ts';
import { MappedBrowser } from '../../support/mapped-browser.ts';

describe('a ticket', () => {
  test('is useless in another browser, and used up by it', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const attacker = await signedInBrowser(forwardAuth);
    const victim = new MappedBrowser(forwardAuth);
    await victim.fetch(startUrl());
    const ticket = await ticketOf(attacker.browser);

    const stolen = await victim.visit(ticket);
    expect(stolen.response.status).toBe(403);
    expect(victim.cookies.get(APP_URL, HOST_COOKIE)).toBeUndefined();
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
    expect(victim.browser.cookies.get(APP_URL, HOST_COOKIE)).toBeUndefined();
  });

  test('works once', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { browser, userId } = await signedInBrowser(forwardAuth);
    const ticket = await ticketOf(browser);
    await browser.visit(ticket, {}, isPage);
    expect((await browser.visit(ticket)).response.status).toBe(403);
    expect((await forwardAuth.ledger.list(userId)).length).toBe(2);
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
    expect((await forwardAuth.ledger.list(userId)).length).toBe(2);
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
    expect(browser.cookies.get(APP_URL, HOST_COOKIE)).toBeUndefined();
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
