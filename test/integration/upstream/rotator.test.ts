import { afterEach, describe, expect, test } from 'bun:test';
import { startLoop } from '../../../src/lib/loop.ts';
import type { UserId } from '../../../src/users/model.ts';
import { type LinkSite, type LinkSiteOptions, linkSite, TASKS, WORK } from '../../support/linked-accounts.ts';
import { settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';
import { answerTokens } from '../../support/token-endpoint.ts';
import { until } from '../../support/until.ts';

const MINUTE_MS = 60_000;

let links: LinkSite;
let inUse: UserId[];

/** Somebody whose token something was given, which from then on is kept fresh. */
const open = async (options?: LinkSiteOptions) => {
  links = await linkSite(options);
  const { userId, browser } = await links.linked('ada');
  inUse = [userId];
  links.site.upstream.setDependents(() => inUse.map((each) => ({ userId: each, provider: WORK })));
  await current(userId);
  return { userId, browser };
};

afterEach(() => links[Symbol.asyncDispose]());

const current = (userId: UserId) => links.site.upstream.tokens.current(userId, WORK);

/** Lets the clock reach a moment at which something is refreshed, and waits until it has been. */
const advanceTo = async (ms: number, refreshes: number) => {
  await links.clock.advance(ms);
  await until(`refresh ${refreshes} is done`, () => links.refreshes('success') === refreshes);
  await settle();
};

describe('a token in use', () => {
  test('is refreshed when it is due, without a round of the loop', async () => {
    const { userId } = await open();
    const heard: number[] = [];
    using _listener = links.site.upstream.tokens.onRefreshed(({ token }) => heard.push(token.version));
    await links.clock.advance(54 * MINUTE_MS);
    expect(links.refreshes('success')).toBe(0);
    await advanceTo(MINUTE_MS, 1);
    await advanceTo(55 * MINUTE_MS, 2);
    expect(heard).toEqual([2, 3]);
    expect(await current(userId)).toMatchObject({ version: 3 });
  });

  test('is kept fresh for an hour, though it lives for five minutes', async () => {
    const { userId } = await open({ accessTokenSeconds: 300 });
    const { rotate } = links.site.upstream;
    const everyMs = links.site.accounts.base.config.upstream.rotate_interval;
    await using _loop = startLoop({
      name: 'rotator',
      everyMs,
      clock: links.clock,
      log: recordedLog(),
      run: () => rotate(),
    });
    const endOfStart = links.clock.now() + 60 * MINUTE_MS;
    const versions = new Set<number>();
    while (links.clock.now() < endOfStart) {
      const before = links.refreshes('success');
      await links.clock.advance(30_000);
      const isDue = (links.clock.now() - (endOfStart - 60 * MINUTE_MS)) % 150_000 === 0;
      if (isDue) await until('it is refreshed', () => links.refreshes('success') > before);
      const token = await current(userId);
      expect(token?.expiresAt ?? 0).toBeGreaterThan(links.clock.now());
      versions.add(token?.version ?? 0);
    }
    expect(links.refreshes('success')).toBe(24);
    expect(versions.size).toBe(25);
    expect(links.refreshes('unavailable')).toBe(0);
  });

  test('is refreshed in time also after somebody else refreshed it, or tried to', async () => {
    const { userId } = await open({ accessTokenSeconds: 6 });
    await links.clock.advance(3_000);
    await until('the rotator has refreshed', () => links.refreshes('success') === 1);
    await settle();
    links.site.upstream.setDependents(() => []);
    await links.clock.advance(3_000);
    await current(userId);
    expect(links.refreshes('success')).toBe(2);
    links.site.upstream.setDependents(() => [{ userId, provider: WORK }]);
    await advanceTo(3_000, 3);
    await advanceTo(3_000, 4);
  });

  test('is left alone once nothing uses it any more', async () => {
    const { userId } = await open();
    inUse = [];
    await links.clock.advance(3 * 60 * MINUTE_MS);
    expect(links.refreshes('success')).toBe(0);
    expect(links.site.upstream.tokens.isLinked(userId, WORK)).toBe(true);
  });

  test('waits for a provider that is down, and is refreshed soon after it is back', async () => {
    await open();
    const outage = answerTokens(links, (response) => response.writeHead(503).end());
    await links.clock.advance(55 * MINUTE_MS);
    await until('the first try has failed', () => links.refreshes('unavailable') === 1);
    await settle();
    await links.clock.advance(1_000);
    await until('the second try has failed', () => links.refreshes('unavailable') === 2);
    await settle();
    outage.end();
    await advanceTo(2_000, 1);
  });

  test('of several people is refreshed for all of them, in one round', async () => {
    const { userId } = await open();
    const others = await Promise.all(['bob', 'carol', 'dave'].map((name) => links.linked(name)));
    inUse = [userId, ...others.map((each) => each.userId)];
    expect(await links.site.upstream.rotate()).toEqual({ looked: 4, refreshed: 0, ended: 0, failed: 0 });
    links.site.upstream.setDependents(() => []);
    await links.clock.advance(56 * MINUTE_MS);
    links.site.upstream.setDependents(() => inUse.map((each) => ({ userId: each, provider: WORK })));
    expect(await links.site.upstream.rotate()).toEqual({ looked: 4, refreshed: 4, ended: 0, failed: 0 });
  });

  test('that has ended without a refresh token ends what depends on it', async () => {
    const { userId } = await open({ givesRefreshTokens: false });
    const { ledger } = links.site.accounts.base;
    await links.clock.advance(59 * MINUTE_MS);
    expect((await ledger.list(userId)).map(({ label }) => label)).toContain(TASKS);
    await links.clock.advance(MINUTE_MS);
    await until('it has ended', () => !links.site.upstream.tokens.isLinked(userId, WORK));
    expect((await ledger.list(userId)).map(({ label }) => label)).not.toContain(TASKS);
  });
});

test('people with a live grant count as users where nobody says what runs', async () => {
  const { userId } = await open();
  inUse = [];
  await links.clock.advance(56 * MINUTE_MS);
  await using again = links.openAgain();
  expect(await again.rotate()).toEqual({ looked: 1, refreshed: 1, ended: 0, failed: 0 });
  const { ledger } = links.site.accounts.base;
  const grant = (await ledger.list(userId)).find(({ label }) => label === TASKS);
  if (grant === undefined) throw new Error('the grant has ended');
  await ledger.end(grant.id, { reason: 'ended_by_user' });
  expect(await again.rotate()).toMatchObject({ looked: 0 });
});
