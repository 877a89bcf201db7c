import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { upstreamGrants, upstreamTurns } from '../../../src/db/schema/index.ts';
import type { UpstreamChange } from '../../../src/upstream/tokens.ts';
import type { UserId } from '../../../src/users/model.ts';
import { errorOf } from '../../support/error-of.ts';
import { type LinkSite, type LinkSiteOptions, linkSite, TASKS, WORK } from '../../support/linked-accounts.ts';
import { settle } from '../../support/manual-clock.ts';
import { answerTokens, holdTokens } from '../../support/token-endpoint.ts';
import { until } from '../../support/until.ts';

/** Two processes over one database, each with a connection of its own, and a provider that takes a refresh token once. */
async function twoProcesses(options?: LinkSiteOptions) {
  await using starting = new AsyncDisposableStack();
  const links = starting.use(await linkSite(options));
  const { userId, browser } = await links.linked('ada');
  const [one, other] = [starting.use(links.openShared()), starting.use(links.openShared())];
  links.asked.length = 0;
  const running = starting.move();
  return {
    links,
    browser,
    userId,
    one,
    other,
    refreshesAsked: () => links.asked.filter((path) => path === '/token').length,
    turns: () => one.db.reader.select().from(upstreamTurns).all(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Lets the time of waiting callers pass until the promise settles. */
async function passing<T>({ clock }: LinkSite, promise: Promise<T>): Promise<T> {
  let isDone = false;
  void promise.catch(() => undefined).finally(() => (isDone = true));
  await until('whoever waits has an answer', async () => {
    if (!isDone) await clock.advance(100);
    return isDone;
  });
  return promise;
}

/** Past the end of the first access token. */
const HOUR_MS = 61 * 60_000;
/** How long a turn is held at the most, by default, and the doubt that follows. */
const TURN_MS = 50_000;
const DOUBT_MS = 5_000;

describe('a refresh that two processes want', () => {
  test('is asked for once, and both have its token', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    await links.clock.advance(HOUR_MS);
    const callers = [one, other].flatMap(({ upstream: { tokens, rotate } }) => [
      ...Array.from({ length: 50 }, () => tokens.current(userId, WORK)),
      rotate().then(() => tokens.current(userId, WORK)),
    ]);
    const found = await passing(links, Promise.all(callers));
    expect(new Set(found.map((token) => token?.version))).toEqual(new Set([2]));
    expect(new Set(found.map((token) => token?.accessToken)).size).toBe(1);
    expect(two.refreshesAsked()).toBe(1);
    expect(two.turns()).toEqual([]);
  });

  test('again and again, over a rotating refresh token, never loses the grant', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    for (let round = 2; round < 8; round++) {
      await links.clock.advance(HOUR_MS);
      const both = [one, other].map(({ upstream }) => upstream.tokens.current(userId, WORK));
      const found = await passing(links, Promise.all(both));
      expect(found.map((token) => token?.version)).toEqual([round, round]);
    }
    expect(two.refreshesAsked()).toBe(6);
  });

  test('waits for the other as long as that takes, and asks nothing when the grant has ended by then', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    await links.clock.advance(HOUR_MS);
    const end = answerTokens(links, (response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":"invalid_grant"}');
    });
    const both = [one, other].map(({ upstream }) => upstream.tokens.current(userId, WORK));
    expect(await passing(links, Promise.all(both))).toEqual([undefined, undefined]);
    end.end();
    expect(two.refreshesAsked()).toBe(1);
  });

  test('that failed is not tried by the other before its wait is over', async () => {
    await using two = await twoProcesses({ upstream: { retry_first: '20s' } });
    const { links, userId, one, other } = two;
    await links.clock.advance(HOUR_MS);
    const failing = answerTokens(links, (response) => response.writeHead(503).end());
    expect(await errorOf(one.upstream.tokens.current(userId, WORK))).toMatchObject({
      code: 'upstream_unavailable',
    });
    failing.end();
    await settle();
    expect(await errorOf(passing(links, other.upstream.tokens.current(userId, WORK)))).toMatchObject({
      code: 'upstream_unavailable',
      retryAfterSeconds: 20,
    });
    expect(two.refreshesAsked()).toBe(1);
    await links.clock.advance(20_000);
    expect(await other.upstream.tokens.current(userId, WORK)).toMatchObject({ version: 2 });
    expect(await one.upstream.tokens.current(userId, WORK)).toMatchObject({ version: 2 });
    expect(two.refreshesAsked()).toBe(2);
  });

  test('of a process that died is taken over once its time has passed', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    await links.clock.advance(HOUR_MS);
    const [grant] = one.db.reader.select({ id: upstreamGrants.id }).from(upstreamGrants).all();
    const dead = { holder: 'prc_dead', untilMs: links.clock.now() + TURN_MS, doubtedAtMs: null };
    await one.db.write((tx) => {
      tx.insert(upstreamTurns)
        .values({ grantId: grant?.id ?? '', ...dead })
        .run();
    });
    const waiting = other.upstream.tokens.current(userId, WORK);
    await links.clock.advance(TURN_MS + DOUBT_MS - 1_000);
    expect(two.refreshesAsked()).toBe(0);
    expect(await passing(links, waiting)).toMatchObject({ version: 2 });
    expect(two.refreshesAsked()).toBe(1);
  });

  test('whose tokens the disk did not take for a while is committed before anybody else asks', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    await links.clock.advance(HOUR_MS);
    const held = holdTokens(links, 'answered');
    const asking = one.upstream.tokens.current(userId, WORK).catch((error: unknown) => error);
    await held.arrived;
    const writer = new Database(links.site.accounts.base.database.path);
    writer.run('BEGIN IMMEDIATE');
    held.release();
    expect(await passing(links, asking)).toMatchObject({ code: 'upstream_unavailable' });
    await links.clock.advance(TURN_MS + DOUBT_MS);
    writer.close();
    expect(await passing(links, other.upstream.tokens.current(userId, WORK))).toMatchObject({ version: 2 });
    expect(await one.upstream.tokens.current(userId, WORK)).toMatchObject({ version: 2 });
    // The one that was held is not counted.
    expect(two.refreshesAsked()).toBe(0);
  });

  test('has a row while it runs, and none where one process has the data to itself', async () => {
    await using two = await twoProcesses();
    const { links, userId, one } = two;
    for (const [upstream, rows] of [
      [links.site.upstream, 0],
      [one.upstream, 1],
    ] as const) {
      await links.clock.advance(HOUR_MS);
      const held = holdTokens(links, 'asked');
      const asking = upstream.tokens.current(userId, WORK);
      await held.arrived;
      expect(two.turns()).toHaveLength(rows);
      held.release();
      expect(await asking).toBeDefined();
      expect(two.turns()).toEqual([]);
    }
  });

  test('ends with the process that waits for it', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    await links.clock.advance(HOUR_MS);
    const held = holdTokens(links, 'asked');
    const asking = one.upstream.tokens.current(userId, WORK);
    await held.arrived;
    const waiting = other.upstream.tokens.current(userId, WORK).catch((error: unknown) => error);
    await settle();
    await other.upstream[Symbol.asyncDispose]();
    expect(await waiting).toMatchObject({ code: 'upstream_unavailable' });
    held.release();
    expect(await asking).toMatchObject({ version: 2 });
  });

  test('by both of a grant that was unlinked meanwhile leaves nothing behind', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other, browser } = two;
    await links.clock.advance(HOUR_MS);
    const held = holdTokens(links, 'answered');
    const both = [one, other].map(({ upstream }) => upstream.tokens.current(userId, WORK));
    await held.arrived;
    await links.site.post(browser, `/account/links/${WORK}/unlink`);
    held.release();
    expect(await passing(links, Promise.all(both))).toEqual([undefined, undefined]);
    expect(two.turns()).toEqual([]);
  });
});

describe('a token that another process has refreshed', () => {
  const listen = ({
    upstream,
  }: {
    upstream: { tokens: { onRefreshed: LinkSite['site']['upstream']['tokens']['onRefreshed'] } };
  }) => {
    const heard: UpstreamChange[] = [];
    upstream.tokens.onRefreshed((change) => void heard.push(change));
    return heard;
  };

  const grantOf = async ({ links, userId }: { links: LinkSite; userId: UserId }) => {
    const [session] = (await links.site.accounts.base.ledger.list(userId)).filter(
      ({ label }) => label === TASKS,
    );
    if (session === undefined) throw new Error('there is no grant');
    return session;
  };

  test('is told once where it is heard that its sessions have changed', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    const session = await grantOf(two);
    await one.upstream.tokens.current(userId, WORK);
    const heard = listen(one);
    one.ledger.events.publish([{ change: 'changed', session }]);
    expect(heard).toEqual([]);
    await links.clock.advance(HOUR_MS);
    await other.upstream.tokens.current(userId, WORK);
    one.ledger.events.publish([{ change: 'changed', session }]);
    one.ledger.events.publish([{ change: 'changed', session }]);
    expect(heard).toMatchObject([{ userId, provider: WORK, token: { version: 2 } }]);
  });

  test('is told by the rotator where nobody heard', async () => {
    await using two = await twoProcesses();
    const { links, userId, one, other } = two;
    await one.upstream.tokens.current(userId, WORK);
    const heard = listen(one);
    await links.clock.advance(HOUR_MS);
    await other.upstream.tokens.current(userId, WORK);
    one.upstream.setDependents(() => [{ userId, provider: WORK }]);
    expect(heard).toEqual([]);
    await one.upstream.rotate();
    await one.upstream.rotate();
    expect(heard).toMatchObject([{ token: { version: 2 } }]);
  });

  test('and a secret that it has stored are news for what runs here', async () => {
    await using two = await twoProcesses();
    const { userId, one, other } = two;
    const session = await grantOf(two);
    const heard: string[] = [];
    one.upstream.tokens.onSecretChanged(({ name }) => void heard.push(name));
    expect(one.upstream.tokens.secret(userId, 'TOKEN')).toBeUndefined();
    one.ledger.events.publish([{ change: 'changed', session }]);
    expect(heard).toEqual([]);
    await other.upstream.secrets.store('TOKEN', 'of another process', { userId });
    one.ledger.events.publish([{ change: 'changed', session }]);
    one.ledger.events.publish([{ change: 'changed', session }]);
    expect(heard).toEqual(['TOKEN']);
    expect(one.upstream.tokens.secret(userId, 'TOKEN')).toBe('of another process');
    await other.upstream.secrets.remove('TOKEN', { userId });
    // Where nobody heard, the rotator finds out.
    await one.upstream.rotate();
    await one.upstream.rotate();
    expect(heard).toEqual(['TOKEN', 'TOKEN']);
  });
});
