import { afterEach, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { upstreamGrants } from '../../../src/db/schema/index.ts';
import type { UserId } from '../../../src/users/model.ts';
import { type LinkSite, type LinkSiteOptions, linkSite, TASKS, WORK } from '../../support/linked-accounts.ts';
import { settle } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';
import { answerTokens as answerTokensBy, holdTokens } from '../../support/token-endpoint.ts';
import { until } from '../../support/until.ts';

const MINUTE_MS = 60_000;

let links: LinkSite;

const open = async (options?: LinkSiteOptions) => {
  links = await linkSite(options);
  return links.linked('ada');
};

afterEach(() => links[Symbol.asyncDispose]());

const current = (userId: UserId) => links.site.upstream.tokens.current(userId, WORK);
const tokenRequests = () => links.asked.filter((path) => path === '/token').length;
const grantRow = (userId: UserId) =>
  links.site.accounts.base.db.reader
    .select()
    .from(upstreamGrants)
    .where(eq(upstreamGrants.userId, userId))
    .get();
const labels = async (userId: UserId) =>
  (await links.site.accounts.base.ledger.list(userId)).map(({ kind, label }) => label ?? kind);
const holdNextTokens = () => holdTokens(links, 'answered');
const answerTokens = (status: number, headers: Record<string, string> = {}, body = '') =>
  answerTokensBy(links, (response) => response.writeHead(status, headers).end(body));

describe('a token', () => {
  test('is handed out as it is until five minutes before its end, then refreshed first', async () => {
    const { userId } = await open();
    const asked = tokenRequests();
    const first = await current(userId);
    await links.clock.advance(54 * MINUTE_MS);
    expect(await current(userId)).toEqual(first);
    expect(tokenRequests()).toBe(asked);
    await links.clock.advance(MINUTE_MS);
    const heard: string[] = [];
    using _listener = links.site.upstream.tokens.onRefreshed(({ token }) => heard.push(token.accessToken));
    const second = await current(userId);
    expect(second).toMatchObject({ version: 2, expiresAt: links.clock.now() + 60 * MINUTE_MS });
    expect(second?.accessToken).not.toBe(first?.accessToken);
    expect(heard).toEqual([second?.accessToken ?? '']);
    expect(links.refreshes('success')).toBe(1);
  });

  test('that lives for seconds is refreshed after half its life', async () => {
    const { userId } = await open({ accessTokenSeconds: 6 });
    await links.clock.advance(2_900);
    expect(await current(userId)).toMatchObject({ version: 1 });
    await links.clock.advance(100);
    expect(await current(userId)).toMatchObject({ version: 2 });
  });

  test('is asked for once, however many want it', async () => {
    const { userId } = await open();
    const asked = tokenRequests();
    await links.clock.advance(55 * MINUTE_MS);
    const all = await Promise.all(Array.from({ length: 20 }, () => current(userId)));
    expect(new Set(all.map((token) => token?.accessToken)).size).toBe(1);
    expect(all[0]).toMatchObject({ version: 2 });
    expect(tokenRequests() - asked).toBe(1);
  });

  test.each([true, false])(
    'is refreshed again and again, refresh tokens replaced: %p',
    async (rotateRefreshTokens) => {
      const { userId } = await open({ rotateRefreshTokens });
      const sealed = grantRow(userId)?.sealedRefreshToken;
      for (let round = 2; round < 6; round++) {
        await links.clock.advance(60 * MINUTE_MS);
        expect(await current(userId)).toMatchObject({ version: round });
      }
      expect(grantRow(userId)?.sealedRefreshToken === sealed).toBe(false);
      expect(links.refreshes('success')).toBe(4);
    },
  );
});

describe('a provider that refuses for good', () => {
  test('ends the connected apps, and nothing else', async () => {
    const { userId, browser } = await open();
    const { db } = links.site.accounts.base;
    const stale = grantRow(userId)?.sealedRefreshToken ?? null;
    await links.clock.advance(56 * MINUTE_MS);
    await current(userId);
    // The refresh token from before, once more: the provider takes it for stolen.
    await db.write((tx) => tx.update(upstreamGrants).set({ sealedRefreshToken: stale }).run());
    await links.clock.advance(56 * MINUTE_MS);
    const ended: string[] = [];
    using _listener = links.site.upstream.tokens.onEnded(({ provider }) => ended.push(provider));
    expect(await current(userId)).toBeUndefined();
    expect(ended).toEqual([WORK]);
    expect(await labels(userId)).toEqual(['user']);
    expect(grantRow(userId)).toMatchObject({
      status: 'link_again',
      endReason: 'invalid_grant',
      sealedAccessToken: null,
      sealedRefreshToken: null,
    });
    expect(await links.site.accounts.actions()).toContain('upstream.ended');
    expect((await links.site.get(browser, '/account/links')).text).toContain('has to be linked again');
    expect(links.refreshes('invalid_grant')).toBe(1);
    const asked = tokenRequests();
    expect(await current(userId)).toBeUndefined();
    expect(tokenRequests()).toBe(asked);
    await links.link(browser, 'ada-at-work');
    expect(await current(userId)).toMatchObject({ version: 3 });
  });
});

describe('a provider that is down for a while', () => {
  test('costs nobody anything while the token is good', async () => {
    const { userId } = await open();
    const first = await current(userId);
    await links.clock.advance(56 * MINUTE_MS);
    const outage = answerTokens(503);
    const asked = tokenRequests();
    expect(await current(userId)).toEqual(first);
    for (let time = 0; time < 10; time++) expect(await current(userId)).toEqual(first);
    expect(tokenRequests() - asked).toBe(1);
    outage.end();
    await links.clock.advance(1_000);
    expect(await current(userId)).toMatchObject({ version: 2 });
    expect(await labels(userId)).toContain(TASKS);
    expect(links.refreshes('unavailable')).toBe(1);
  });

  test('makes callers try again later past the real end, and ends nothing', async () => {
    const { userId } = await open();
    await links.clock.advance(61 * MINUTE_MS);
    const outage = answerTokens(503, { 'retry-after': '7' });
    const refusal = await refusalOf(current(userId));
    expect(refusal).toMatchObject({
      kind: 'unavailable',
      code: 'upstream_unavailable',
      retryAfterSeconds: 7,
    });
    await links.clock.advance(3_000);
    expect(await refusalOf(current(userId))).toMatchObject({ retryAfterSeconds: 4 });
    outage.end();
    await links.clock.advance(4_000);
    expect(await current(userId)).toMatchObject({ version: 2 });
    expect(await labels(userId)).toContain(TASKS);
  });

  test.each([
    ['another error', 400, '{"error":"invalid_client"}', 'refused'],
    ['no JSON', 200, '<h1>Welcome</h1>', 'refused'],
    ['a token that breaks lines', 200, '{"access_token":"a\\nb","token_type":"bearer"}', 'refused'],
    ['too many requests', 429, '', 'unavailable'],
    ['a server error that says invalid_grant', 500, '{"error":"invalid_grant"}', 'unavailable'],
  ])('or answers %s is asked again, and loses nothing', async (_what, status, body, outcome) => {
    const { userId } = await open();
    await links.clock.advance(61 * MINUTE_MS);
    const answer = answerTokens(status, { 'content-type': 'application/json' }, body);
    await refusalOf(current(userId));
    expect(links.refreshes(outcome)).toBe(1);
    answer.end();
    await links.clock.advance(1_000);
    expect(await current(userId)).toMatchObject({ version: 2 });
  });

  test('is asked less and less often, every minute at the least', async () => {
    const { userId } = await open();
    await links.clock.advance(61 * MINUTE_MS);
    answerTokens(503);
    const waits: (number | undefined)[] = [];
    for (let time = 0; time < 9; time++) {
      const { retryAfterSeconds = 0 } = await refusalOf(current(userId));
      waits.push(retryAfterSeconds);
      await links.clock.advance(retryAfterSeconds * 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  test('or hangs holds callers up for two seconds while the token is good', async () => {
    const { userId } = await open();
    const first = await current(userId);
    await links.clock.advance(56 * MINUTE_MS);
    const held = holdNextTokens();
    const asking = current(userId);
    await held.arrived;
    await links.clock.advance(2_000);
    expect(await asking).toEqual(first);
    held.release();
    await until('the refresh is committed', () => grantRow(userId)?.version === 2);
  });

  test('or never answers is given up after 30 s', async () => {
    const { userId } = await open();
    await links.clock.advance(61 * MINUTE_MS);
    const held = holdNextTokens();
    const asking = refusalOf(current(userId));
    await held.arrived;
    await links.clock.advance(29_000);
    expect(links.refreshes('unavailable')).toBe(0);
    await links.clock.advance(1_000);
    expect(await asking).toMatchObject({ code: 'upstream_unavailable' });
    held.release();
  });
});

describe('while a refresh runs', () => {
  test('unlinking wins: the new tokens are dropped, and revoked', async () => {
    const { userId, browser } = await open();
    await links.clock.advance(61 * MINUTE_MS);
    const held = holdNextTokens();
    const asking = current(userId);
    await held.arrived;
    await links.site.post(browser, `/account/links/${WORK}/unlink`);
    links.asked.length = 0;
    held.release();
    expect(await asking).toBeUndefined();
    expect(grantRow(userId)).toBeUndefined();
    expect(await labels(userId)).toEqual(['user']);
    expect(links.refreshes('superseded')).toBe(1);
    expect(links.asked).toContain('/token/revocation');
  });

  test('another link wins: its tokens stay, and are what the caller gets', async () => {
    const { userId, browser } = await open();
    await links.clock.advance(61 * MINUTE_MS);
    const held = holdNextTokens();
    const asking = current(userId);
    await held.arrived;
    await links.link(browser, 'ada-at-work');
    links.asked.length = 0;
    held.release();
    expect(await asking).toMatchObject({ version: 2 });
    expect(grantRow(userId)).toMatchObject({ version: 2, status: 'active' });
    await settle();
    expect(links.asked).not.toContain('/token/revocation');
  });

  test('the end of the process waits for it to be committed', async () => {
    const { userId } = await open();
    await links.clock.advance(56 * MINUTE_MS);
    const held = holdNextTokens();
    const asking = current(userId);
    await held.arrived;
    const ending = links.site.upstream[Symbol.asyncDispose]();
    held.release();
    await ending;
    expect(grantRow(userId)?.version).toBe(2);
    expect(await asking).toMatchObject({ version: 2 });
  });
});

describe('without a refresh token', () => {
  test('the token is handed out to its end, and the connected apps end with it', async () => {
    const { userId } = await open({ givesRefreshTokens: false });
    await links.clock.advance(59 * MINUTE_MS);
    expect(await current(userId)).toMatchObject({ version: 1 });
    await links.clock.advance(MINUTE_MS);
    expect(await current(userId)).toBeUndefined();
    expect(await labels(userId)).toEqual(['user']);
    expect(grantRow(userId)).toMatchObject({ status: 'link_again', endReason: 'expired' });
  });
});
