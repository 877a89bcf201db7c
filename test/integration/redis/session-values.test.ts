import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import { originAudience } from '../../../src/sessions/audience.ts';
import { blankSession } from '../../../src/sessions/issue.ts';
import type { Session, TokenHash } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { type SharedStore, sharedStore } from '../../support/shared-store.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

interface Kept {
  readonly session: Session;
  readonly hash: TokenHash;
  readonly key: string;
  readonly credential: string;
}

let made = 0;

async function keep(t: SharedStore, userId: UserId, changes: Partial<Session> = {}): Promise<Kept> {
  const session: Session = {
    ...blankSession(userId, t.clock.now()),
    kind: 'user',
    audience: [originAudience('https://auth.example.test')],
    idleTimeoutMs: DAY,
    expiresAt: t.clock.now() + 30 * DAY,
    origin: { provider: 'home', providerSid: `sid ${++made}`, address: '192.0.2.1', userAgent: 'test' },
    ...changes,
  };
  const hash = `hash-of-${made}` as TokenHash;
  const credential = {
    hash,
    sessionId: session.id,
    use: 'cookie',
    expiresAt: undefined,
    supersededAt: undefined,
  } as const;
  await t.db.write((tx) => void t.store.insert(tx, session, credential));
  return { session, hash, key: `postern:session:${session.id}`, credential: `postern:credential:${hash}` };
}

const refusedIn = (t: SharedStore) =>
  Number(/^postern_redis_refused_values_total (\d+)$/m.exec(t.metrics.render())?.[1]);
const logged = (t: SharedStore) => JSON.stringify(t.log.lines);

async function copyFields(redis: Redis, fields: readonly string[], from: Kept, to: Kept): Promise<void> {
  for (const field of fields) await redis.hset(to.key, field, (await redis.hget(from.key, field)) ?? '');
}

/** What somebody who may write to Redis tries with two sessions. */
const FORGERIES: readonly (readonly [
  what: string,
  forge: (redis: Redis, one: Kept, other: Kept) => Promise<unknown>,
])[] = [
  ['a body in the place of another', (redis, one, other) => copyFields(redis, ['body'], other, one)],
  [
    'a body with its MAC in the place of another',
    (redis, one, other) => copyFields(redis, ['body', 'mac'], other, one),
  ],
  [
    'a whole session under the id of another',
    async (redis, one, other) => redis.copy(other.key, one.key, 'REPLACE'),
  ],
  [
    'a whole session under the id of another, for its own cookie',
    async (redis, one, other) => {
      await redis.copy(other.key, one.key, 'REPLACE');
      await redis.hset(one.key, 'hash', one.hash);
    },
  ],
  [
    'a cookie that leads to the session of another',
    (redis, one, other) => redis.set(one.credential, other.session.id),
  ],
  ['the last use of another', (redis, one, other) => copyFields(redis, ['seen', 'seen_mac'], other, one)],
  ['a later last use', (redis, one) => redis.hset(one.key, 'seen', String(one.session.lastSeenAt + DAY))],
  [
    'another person',
    async (redis, one, other) => {
      const body = (await redis.hget(one.key, 'body')) ?? '';
      await redis.hset(one.key, 'body', body.replace(one.session.userId, other.session.userId));
    },
  ],
  [
    'a later end',
    async (redis, one) => {
      const body = (await redis.hget(one.key, 'body')) ?? '';
      await redis.hset(
        one.key,
        'body',
        body.replace(String(one.session.expiresAt), String((one.session.expiresAt ?? 0) + DAY)),
      );
    },
  ],
  ['no MAC', (redis, one) => redis.hdel(one.key, 'mac')],
  ['no last use', (redis, one) => redis.hdel(one.key, 'seen')],
  ['an empty MAC', (redis, one) => redis.hset(one.key, 'mac', '')],
  ['a body that is no JSON', (redis, one) => redis.hset(one.key, 'body', 'not json')],
  [
    'a key of another kind',
    async (redis, one) => {
      await redis.del(one.key);
      await redis.set(one.key, 'text');
    },
  ],
];

describe('a session value in Redis', () => {
  test.each(FORGERIES.map(([what, forge]) => [what, forge] as const))(
    'with %s is no session, and is counted',
    async (_what, forge) => {
      await using t = await sharedStore(server);
      const one = await keep(t, await t.addUser());
      const other = await keep(t, await t.addUser(), { lastSeenAt: t.clock.now() + 1 });
      await forge(server.client(), one, other);
      expect(await t.store.findByHash(one.hash, 'cookie')).toBeUndefined();
      expect(refusedIn(t)).toBe(1);
      expect(logged(t)).toContain('was not written by this appliance');
      expect(logged(t)).not.toContain(one.hash);
      // What was not touched is as good as before.
      expect(await t.store.findByHash(other.hash, 'cookie')).toMatchObject({
        session: { id: other.session.id },
      });
    },
  );

  test('shows who it belongs to nowhere but in its own place: an index that lies is not believed', async () => {
    await using t = await sharedStore(server);
    const [ada, bob] = [await t.addUser(), await t.addUser()];
    const [one, other] = [await keep(t, ada), await keep(t, bob)];
    const redis = server.client();
    await redis.zadd(`postern:user:${ada}`, '+inf', other.session.id, '+inf', 'ses_nothing');
    await redis.zadd(`postern:children:${one.session.id}`, '+inf', other.session.id, '+inf', one.session.id);
    expect(await t.store.listActive(ada)).toEqual([one.session]);
    expect(await t.db.write((tx) => t.store.activeTree(tx, one.session.id))).toEqual([one.session.id]);
    expect(await t.db.write((tx) => t.store.activeOfUser(tx, ada, ['user']))).toEqual([one.session.id]);
    // What is gone is taken from the index by whoever meets it.
    expect(await redis.zscore(`postern:user:${ada}`, 'ses_nothing')).toBeNull();
  });

  test('that was revoked stays so when it is written back, with its keys and without an end', async () => {
    await using t = await sharedStore(server);
    const one = await keep(t, await t.addUser());
    const redis = server.client();
    await redis.copy(one.key, `kept:${one.key}`);
    await t.db.write((tx) =>
      t.store.revoke(tx, [one.session.id], { at: t.clock.now(), reason: 'signed_out' }),
    );
    expect(await redis.exists(one.key, one.credential)).toBe(0);
    await redis.copy(`kept:${one.key}`, one.key);
    await redis.persist(one.key);
    await redis.set(one.credential, one.session.id);
    expect(await t.store.findByHash(one.hash, 'cookie')).toMatchObject({ session: { status: 'revoked' } });
    expect(await t.store.find(one.session.id)).toMatchObject({
      status: 'revoked',
      revokeReason: 'signed_out',
    });
    expect(await t.store.listActive(one.session.userId)).toEqual([]);
    // Taken away again, as after every reconnect.
    await t.shared.reapply();
    expect(await redis.exists(one.key, one.credential)).toBe(0);
  });

  test('goes on with the last use that was written before, when that is put back, and not beyond', async () => {
    const clock = new ManualClock();
    await using t = await sharedStore(server, { clock });
    const one = await keep(t, await t.addUser());
    const redis = server.client();
    const [seen, mac] = await redis.hmget(one.key, 'seen', 'seen_mac');
    await clock.advance(HOUR);
    await t.db.write((tx) => t.store.touch(tx, new Map([[one.session.id, clock.now()]])));
    await redis.hset(one.key, 'seen', seen ?? '', 'seen_mac', mac ?? '');
    expect((await t.store.find(one.session.id))?.lastSeenAt).toBe(one.session.lastSeenAt);
  });
});

test('what Redis has lost is counted when it is back', async () => {
  const clock = new ManualClock();
  await using redis = await startRedis();
  await using t = await sharedStore(redis, { clock });
  const userId = await t.addUser();
  const one = await keep(t, userId);
  await keep(t, userId);
  const lost = () => Number(/^postern_redis_lost_sessions_total (\d+)$/m.exec(t.metrics.render())?.[1]);
  await clock.advance(60_000);
  t.store.countActiveByKind();
  await until('they are counted', () => t.store.countActiveByKind().user === 2);
  await t.shared.reapply();
  expect(lost()).toBe(0);
  await redis.client().flushall();
  await keep(t, userId);
  await t.shared.reapply();
  expect(lost()).toBe(1);
  expect(await t.store.find(one.session.id)).toBeUndefined();
});

describe('keys in Redis', () => {
  const secretOf = (fill: number) => new Uint8Array(32).fill(fill);

  test('of an earlier secret are accepted as long as it is kept, and refused after that', async () => {
    await using old = await sharedStore(server, { secrets: [secretOf(1)] });
    const userId = await old.addUser();
    const one = await keep(old, userId);
    const { database, clock } = old;
    const over = (secrets: readonly [Uint8Array, ...Uint8Array[]]) =>
      sharedStore(server, { secrets, database, clock });
    const both = await over([secretOf(2), secretOf(1)]);
    expect(await both.store.find(one.session.id)).toEqual(one.session);
    const newer = await over([secretOf(2)]);
    expect(await newer.store.find(one.session.id)).toBeUndefined();
    // A last use under the new secret does not make a body of the old one good.
    await both.db.write((tx) => both.store.touch(tx, new Map([[one.session.id, clock.now() + 1]])));
    expect(await newer.store.find(one.session.id)).toBeUndefined();
    expect((await both.store.find(one.session.id))?.lastSeenAt).toBe(clock.now() + 1);
    both.redis[Symbol.dispose]();
    newer.redis[Symbol.dispose]();
  });

  test('end with the session: at its idle end, which uses put off, at its absolute end at the latest', async () => {
    const clock = new ManualClock();
    await using t = await sharedStore(server, { clock });
    const one = await keep(t, await t.addUser(), { expiresAt: clock.now() + DAY + 2 * HOUR });
    const redis = server.client();
    const left = async () => [await redis.pttl(one.key), await redis.pttl(one.credential)];
    const use = () => t.db.write((tx) => t.store.touch(tx, new Map([[one.session.id, clock.now()]])));
    const near = (ms: number) => async () => {
      for (const each of await left()) {
        expect(each).toBeLessThanOrEqual(ms);
        expect(each).toBeGreaterThan(ms - 30_000);
      }
    };
    await near(DAY)();
    await clock.advance(HOUR);
    await use();
    await near(DAY)();
    await clock.advance(HOUR * 3);
    await use();
    // The absolute end is nearer than another idle time.
    await near(22 * HOUR)();
    expect(await redis.pttl(`postern:user:${one.session.userId}`)).toBeGreaterThan(DAY);
  });

  test('hold neither a token nor the name of a session at its provider', async () => {
    await using t = await sharedStore(server);
    const one = await keep(t, await t.addUser(), {
      origin: { provider: 'home', providerSid: 'a-telling-sid', address: undefined, userAgent: undefined },
    });
    expect((await t.store.findByProviderSid('home', 'a-telling-sid')).map(({ id }) => id)).toEqual([
      one.session.id,
    ]);
    expect((await server.client().keys('*')).join(' ')).not.toContain('a-telling-sid');
  });

  test('are gone, and so is nothing else, when a session is taken away', async () => {
    await using redis = await startRedis();
    await using t = await sharedStore(redis);
    const userId = await t.addUser();
    const one = await keep(t, userId);
    const child = await keep(t, userId, { parentId: one.session.id });
    const kept = await keep(t, userId);
    await t.db.write((tx) =>
      t.store.revoke(tx, [one.session.id, child.session.id], { at: t.clock.now(), reason: 'signed_out' }),
    );
    const keys = await redis.client().keys('*');
    expect(keys.filter((key) => key.includes(one.session.id) || key.includes(child.session.id))).toEqual([]);
    expect(keys.filter((key) => key.startsWith('postern:session:'))).toEqual([kept.key]);
    expect(keys.filter((key) => key.startsWith('postern:credential:'))).toEqual([kept.credential]);
    expect(keys.filter((key) => key.startsWith('postern:sid:'))).toHaveLength(1);
    expect(await t.store.listActive(userId)).toEqual([kept.session]);
  });
});
