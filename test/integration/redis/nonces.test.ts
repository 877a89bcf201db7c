import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { nonceStore } from '../../../src/devices/store-nonces-redis.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { type TemporaryDeviceGuard, temporaryDeviceGuard } from '../../support/device-guard.ts';
import { connectionsOf, type TestConnections } from '../../support/redis-connections.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { type CraftedRequest, craftRequest } from '../../support/signed-request.ts';

let server: TestRedis;
let one: TestConnections;
let other: TestConnections;
beforeAll(async () => {
  server = await startRedis();
  [one, other] = [await connectionsOf(server.toml()), await connectionsOf(server.toml())];
});
afterAll(async () => {
  for (const connections of [one, other]) connections[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => server.client().flushall());

let site: TemporaryDeviceGuard | undefined;
afterEach(() => site?.[Symbol.asyncDispose]());

/** Two processes with a connection and a memory of their own, over one ledger, and a device that is paired. */
async function twoProcesses({ isStrict = true } = {}) {
  const opened = temporaryDeviceGuard();
  site = opened;
  const shared = async ({ redis }: TestConnections) => {
    const store = nonceStore(redis);
    return { store, life: await store.life(), isStrict };
  };
  const guards = [opened.openShared(await shared(one)), opened.openShared(await shared(other))] as const;
  const ask = (index: 0 | 1, request: Request) => {
    opened.open = guards[index];
    return opened.verdict(request);
  };
  // What is signed in the second of the start is refused for a device that is older than the process.
  await opened.clock.advance(1_000);
  const device = await opened.pair();
  const craft = (request: CraftedRequest = {}) => craftRequest(request, opened.signing(device));
  const seconds = () => Math.floor(opened.clock.now() / 1_000);
  return { opened, device, id: device.deviceId, craft, ask, seconds };
}

const again = (request: Request) => new Request(request);

describe('a signed request', () => {
  test('is taken by any process, and by one of them alone', async () => {
    const { craft, ask, id } = await twoProcesses();
    for (const [first, second] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const request = craft();
      expect(await ask(first, again(request))).toBe(id);
      expect(await ask(second, again(request))).toBe('signature_replayed');
      expect(await ask(first, again(request))).toBe('signature_replayed');
    }
  });

  test('that reaches all at the same moment has one winner', async () => {
    const { craft, ask, id } = await twoProcesses();
    for (let round = 0; round < 20; round++) {
      const request = craft();
      const verdicts = await Promise.all(
        [0, 1, 0, 1].map((index) => ask(index === 0 ? 0 : 1, again(request))),
      );
      expect(verdicts.filter((verdict) => verdict === id)).toHaveLength(1);
    }
  });

  test('is known in every process for as long as it is good', async () => {
    const { opened, craft, ask, id, seconds } = await twoProcesses();
    const ahead = craft({ created: seconds() + 30 });
    expect(await ask(0, again(ahead))).toBe(id);
    for (let second = 0; second <= 92; second += 4) {
      expect(await ask(1, again(ahead))).toBe(second > 90 ? 'signature_stale' : 'signature_replayed');
      await opened.clock.advance(4_000);
    }
  });

  test('that Redis has let go of stays used when the wall clock is set back', async () => {
    const { opened, craft, ask, id } = await twoProcesses();
    const request = craft();
    const signedAt = opened.clock.now();
    expect(await ask(0, again(request))).toBe(id);
    await opened.clock.advance(200_000);
    expect(await ask(0, craft())).toBe(id);
    const members = await server.client().zcard((await server.client().keys('postern:nonces:*'))[0] ?? '');
    expect(members).toBe(2);
    opened.clock.setWall(signedAt);
    expect(await ask(1, again(request))).toBe('signature_stale');
  });

  test('by a device that was unpaired while Redis was asked is refused', async () => {
    const { opened, craft, ask, device } = await twoProcesses();
    server.pause();
    const asking = ask(0, craft());
    await opened.base.ledger.end(device.sessionId, { reason: 'unpaired' });
    server.resume();
    expect(await asking).toBe('device_not_paired');
  });

  test('with a body is taken once as well', async () => {
    const { craft, ask, id } = await twoProcesses();
    const signed = { body: '{"a":1}', nonce: 'the-same-for-both-of-them' };
    expect(await ask(0, craft(signed))).toBe(id);
    expect(await ask(1, craft(signed))).toBe('signature_replayed');
  });
});

describe('when Redis has forgotten', () => {
  test.each([
    ['its keys were flushed', 'signature_stale', () => server.client().flushall()],
    [
      'it was started anew with nothing',
      'taken',
      async () => {
        await server.kill9();
        await server.restart();
      },
    ],
  ])('because %s, nothing counts that was signed before', async (_how, first, forget) => {
    const { opened, craft, ask, id, seconds } = await twoProcesses();
    const used = [craft(), craft({ created: seconds() + 20 })];
    for (const request of used) expect(await ask(0, again(request))).toBe(id);
    await opened.clock.advance(500);
    await forget();
    for (const { redis } of [one, other]) await redis.connection.whenReady(AbortSignal.timeout(20_000));
    // The other process hears of it by asking.
    for (let second = 0; second < 60; second += 5) {
      for (const request of used) expect(await ask(1, again(request))).toStartWith('signature_');
      await opened.clock.advance(5_000);
    }
    expect(await ask(1, craft())).toBe(id);
    // Keys that go do not show before one is asked for; a connection that breaks shows at once.
    expect(await ask(0, craft())).toBe(first === 'taken' ? id : first);
    await opened.clock.advance(1_000);
    expect(await ask(0, craft())).toBe(id);
  });

  test('what is written there by others lets nothing in twice at one process, and never a forged device', async () => {
    const { craft, ask, id } = await twoProcesses();
    const request = craft();
    expect(await ask(0, again(request))).toBe(id);
    const keys = await server.client().keys('postern:nonces:*');
    await server.client().del(...keys);
    expect(await ask(0, again(request))).toBe('signature_replayed');
    await server.client().set('postern:nonces', 'another life');
    expect(await ask(1, again(request))).toBe('signature_stale');
  });
});

describe('while Redis is away', () => {
  const away = async (isStrict: boolean) => {
    const processes = await twoProcesses({ isStrict });
    await server.kill9();
    return processes;
  };
  afterEach(async () => {
    await server.restart();
    for (const { redis } of [one, other]) await redis.connection.whenReady(AbortSignal.timeout(20_000));
  });

  test('no signed request is taken, in strict mode', async () => {
    const { craft, ask } = await away(true);
    const request = craft();
    expect(await ask(0, again(request))).toBe('store_unavailable');
    expect(await ask(0, again(request))).toBe('signature_replayed');
    expect(await ask(1, craft())).toBe('store_unavailable');
  });

  test('each process goes by its own memory, at best effort', async () => {
    const { craft, ask, id } = await away(false);
    const request = craft();
    expect(await ask(0, again(request))).toBe(id);
    expect(await ask(0, again(request))).toBe('signature_replayed');
    expect(await ask(1, again(request))).toBe(id);
  });
});

describe('what Redis keeps', () => {
  const NOW = 1_900_000_000;
  const sessionId = 'ses_board' as SessionId;
  const key = 'postern:nonces:ses_board';

  test('is bounded for each session: a flood only narrows its own window', async () => {
    const store = nonceStore(one.redis);
    const take = (id: SessionId, nonce: string, created: number) =>
      store.take({ sessionId: id, nonce, created, now: NOW, keptSeconds: 120 });
    for (let batch = 0; batch < 18; batch++) {
      const flood = Array.from({ length: 1_000 }, (_, index) =>
        take(sessionId, `flood ${batch} ${index}`, NOW - 40 + batch),
      );
      await Promise.all(flood);
    }
    expect(await server.client().zcard(key)).toBeLessThanOrEqual(16_385);
    expect((await take(sessionId, 'late', NOW - 40)).verdict).toBe('stale');
    expect((await take(sessionId, 'flood 0 0', NOW - 40)).verdict).toBe('stale');
    expect((await take(sessionId, 'flood 17 999', NOW - 23)).verdict).toBe('replayed');
    expect((await take(sessionId, 'new', NOW)).verdict).toBe('fresh');
    expect((await take('ses_camera' as SessionId, 'late', NOW - 40)).verdict).toBe('fresh');
  });

  test('is gone a day after the last use, and names no nonce', async () => {
    const store = nonceStore(one.redis);
    await store.take({ sessionId, nonce: 'secret-nonce', created: NOW, now: NOW, keptSeconds: 120 });
    expect(await server.client().pttl(key)).toBeWithin(24 * 3_600_000, 25 * 3_600_000 + 1);
    expect(JSON.stringify(await server.client().zrange(key, '0', '-1'))).not.toContain('secret');
  });

  test('of a clock that leapt ahead and was set right again keeps nobody out', async () => {
    const store = nonceStore(one.redis);
    const take = (nonce: string, now: number) =>
      store.take({ sessionId, nonce, created: now, now, keptSeconds: 120 }).then(({ verdict }) => verdict);
    const DAY = 86_400;
    expect(await take('a', NOW + DAY)).toBe('fresh');
    expect(await take('b', NOW + DAY + 200)).toBe('fresh');
    expect(await take('c', NOW)).toBe('fresh');
    expect(await take('c', NOW)).toBe('replayed');
    expect(await take('d', NOW + 1)).toBe('fresh');
  });

  test('changes its life with whatever may have forgotten', async () => {
    const store = nonceStore(one.redis);
    const lives = new Set([await store.life(), await nonceStore(one.redis).life()]);
    expect(lives.size).toBe(1);
    await server.client().flushall();
    lives.add(await store.life());
    expect(lives.size).toBe(2);
  });
});
