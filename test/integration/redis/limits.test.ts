import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { sharedLimiter } from '../../../src/http/rate-limit-redis.ts';
import { keyRing } from '../../../src/lib/key-ring.ts';
import type { Limiter, LimiterOptions, OpenLimiter } from '../../../src/lib/limiter.ts';
import { createMetrics } from '../../../src/lib/metrics.ts';
import { scriptRunner } from '../../../src/redis/script.ts';
import { TEST_SECRET } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { connectionsOf, type TestConnections } from '../../support/redis-connections.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';

const OPTIONS: LimiterOptions = { name: 'tries', limit: 4, windowMs: 600_000, maxKeys: 100 };
const ADDRESS = '198.51.100.7';

let server: TestRedis;
let connected: TestConnections;
beforeAll(async () => {
  server = await startRedis();
  connected = await connectionsOf(server.toml());
});
afterAll(async () => {
  connected[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => server.client().flushall());

/** A process that counts in Redis, with a clock of its own that stands still: what comes back comes by the time of Redis. */
function process(secret = TEST_SECRET, { redis }: TestConnections = connected) {
  const metrics = createMetrics();
  const alone = metrics.counter('alone', 'Counted alone.');
  const clock = new ManualClock();
  const run = scriptRunner(redis.commands);
  const open: OpenLimiter = sharedLimiter({ run, ring: keyRing([secret]), clock, alone });
  return { open, clock, alone: () => Number(/^alone (\d+)/m.exec(metrics.render())?.[1]) };
}

async function takeAll(limiters: readonly Limiter[], times: number, key = ADDRESS): Promise<boolean[]> {
  const taken = [];
  for (let i = 0; i < times; i++) taken.push((await limiters[i % limiters.length]?.take(key))?.ok === true);
  return taken;
}

describe('a limit that processes share', () => {
  test('is as high for all of them together as for one', async () => {
    const limits = [process(), process()].map(({ open }) => open(OPTIONS));
    expect(await takeAll(limits, 6)).toEqual([true, true, true, true, false, false]);
    const refused = await limits[0]?.take(ADDRESS);
    expect(refused).toMatchObject({ ok: false });
    if (refused?.ok === false) expect(refused.retryAfterSeconds).toBeWithin(140, 151);
  });

  test('lets nobody past when many ask at once', async () => {
    const limits = [process(), process(), process()].map(({ open }) => open({ ...OPTIONS, limit: 10 }));
    const asked = limits.flatMap((limit) => Array.from({ length: 10 }, async () => limit.take(ADDRESS)));
    const all = await Promise.all(asked);
    expect(all.filter(({ ok }) => ok)).toHaveLength(10);
  });

  test('counts each name and each key apart', async () => {
    const { open } = process();
    const [one, other] = [open(OPTIONS), open({ ...OPTIONS, name: 'other' })];
    expect(await takeAll([one], 4)).not.toContain(false);
    expect((await one.take('192.0.2.1')).ok).toBe(true);
    expect((await other.take(ADDRESS)).ok).toBe(true);
    expect((await one.take(ADDRESS)).ok).toBe(false);
  });

  test('is counted in another process no more once it was given back', async () => {
    const limits = [process(), process()].map(({ open }) => open(OPTIONS));
    for (let i = 0; i < 20; i++) {
      const taken = await limits[i % 2]?.take(ADDRESS);
      expect(taken?.ok).toBe(true);
      if (taken?.ok === true) taken.giveBack();
    }
    // On the same connection, behind what was given back.
    expect(await connected.redis.commands.keys('*')).toEqual([]);
  });

  test('takes odd limits to the last place', async () => {
    const odd = { ...OPTIONS, limit: 7 };
    const limits = [process(), process()].map(({ open }) => open(odd));
    expect(await takeAll(limits, 8)).toEqual([...Array.from({ length: 7 }, () => true), false]);
  });

  test('is forgotten by Redis with the window, and nothing there tells whom it is about', async () => {
    const [limit] = [process().open(OPTIONS)];
    await takeAll([limit], 2, 'ada@example.test');
    const [key = ''] = await server.client().keys('*');
    expect(await server.client().pttl(key)).toBeWithin(299_000, 300_001);
    expect(key).toMatch(/^postern:limit:[\w-]{43}$/);
    const [other] = [process(new Uint8Array(32).fill(9)).open(OPTIONS)];
    await takeAll([other], 1, 'ada@example.test');
    expect(await server.client().keys('*')).toHaveLength(2);
  });

  test('locks nobody out for longer than its window, whatever stands in Redis', async () => {
    const { open } = process();
    const limit = open(OPTIONS);
    await limit.take(ADDRESS);
    const [key = ''] = await server.client().keys('*');
    await server.client().set(key, '99999999999999');
    const refused = await limit.take(ADDRESS);
    expect(refused).toMatchObject({ ok: false });
    if (!refused.ok) expect(refused.retryAfterSeconds).toBeWithin(100, 151);
    await server.client().set(key, 'mischief');
    expect((await limit.take(ADDRESS)).ok).toBe(true);
  });

  test('is each process’s own where what stands in Redis cannot be read', async () => {
    const { open, alone } = process();
    const limit = open(OPTIONS);
    await limit.take(ADDRESS);
    const [key = ''] = await server.client().keys('*');
    await server.client().del(key);
    await server.client().lpush(key, 'a list');
    expect(await takeAll([limit], 4)).toEqual([true, true, true, false]);
    expect(alone()).toBe(3);
  });

  test('holds in each process while Redis is away, and in all once it is back', async () => {
    await using own = await startRedis();
    using connections = await connectionsOf(own.toml());
    const { open, clock, alone } = process(TEST_SECRET, connections);
    const limit = open(OPTIONS);
    expect((await limit.take(ADDRESS)).ok).toBe(true);
    await own.kill9();
    expect(await takeAll([limit], 4)).toEqual([true, true, true, false]);
    expect(alone()).toBe(3);
    await own.restart();
    await connections.redis.connection.whenReady(AbortSignal.timeout(20_000));
    await clock.advance(OPTIONS.windowMs);
    expect(await takeAll([limit], 5)).toEqual([true, true, true, true, false]);
    expect(alone()).toBe(3);
  });

  test('asks Redis nothing for what is over the limit here already', async () => {
    const { open } = process();
    const limit = open(OPTIONS);
    await takeAll([limit], 4);
    await server.client().flushall();
    expect((await limit.take(ADDRESS)).ok).toBe(false);
    expect(await server.client().keys('*')).toEqual([]);
  });
});
