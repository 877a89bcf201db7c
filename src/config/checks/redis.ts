import { parseRedisUrl } from '../faults-redis.ts';
import type { Path } from '../raw-config.ts';
import type { RedisConfig } from '../schema.ts';
import type { Check, Conflict } from './conflict.ts';

/** A check of `[redis]` by itself. */
const ofRedis = (
  find: (
    redis: RedisConfig,
  ) => Iterable<{ key: string | readonly string[]; others: readonly string[]; expected: string }>,
): Check =>
  function* ({ redis }): Iterable<Conflict> {
    for (const { key, others, expected } of find(redis)) {
      yield { path: ['redis', key].flat(), others: others.map((other): Path => ['redis', other]), expected };
    }
  };

const NEEDS_URL = ['username', 'password', 'sentinel_name', 'sentinel_username', 'sentinel_password', 'tls'];

/** Somebody who writes a password means Redis to be used; without an address it would stay off in silence. */
export const redisHasUrl = ofRedis(function* (redis) {
  if (redis.url !== undefined) return;
  const given = Object.entries(redis).some(([key, value]) => NEEDS_URL.includes(key) && value !== undefined);
  if (given || redis.sentinels.length > 0)
    yield {
      key: 'url',
      others: [],
      expected: 'the address of Redis, because other keys of [redis] say how it is reached',
    };
});

export const redisUserHasPassword = ofRedis(function* ({ username, password }) {
  if (username !== undefined && password === undefined)
    yield { key: 'password', others: ['username'], expected: 'the password of redis.username' };
});

export const redisSentinelsAreWhole = ofRedis(function* (redis) {
  const { sentinels, sentinel_name, sentinel_username, sentinel_password } = redis;
  if (sentinels.length === 0) {
    for (const [key, value] of Object.entries({ sentinel_name, sentinel_username, sentinel_password })) {
      if (value !== undefined)
        yield { key, others: ['sentinels'], expected: 'nothing, or addresses in redis.sentinels' };
    }
    return;
  }
  if (sentinel_name === undefined)
    yield { key: 'sentinel_name', others: ['sentinels'], expected: 'what the sentinels call the primary' };
  if (sentinel_username !== undefined && sentinel_password === undefined)
    yield {
      key: 'sentinel_password',
      others: ['sentinel_username'],
      expected: 'the password of redis.sentinel_username',
    };
});

export const redisTlsIsWhole = ofRedis(function* ({ url, tls }) {
  if (tls === undefined) return;
  if (url !== undefined && parseRedisUrl(url)?.tls === false)
    yield {
      key: 'tls',
      others: ['url'],
      expected: 'no table tls, or a redis.url that begins with rediss://',
    };
  if ((tls.cert === undefined) === (tls.key === undefined)) return;
  const missing = tls.cert === undefined ? 'cert' : 'key';
  yield { key: ['tls', missing], others: ['tls'], expected: 'cert and key together, or neither' };
});

/** One read answers for both; events of one kind in the stream of the other are malformed. */
export const redisStreamsDiffer = ofRedis(function* ({ events_stream, device_events_stream }) {
  if (events_stream !== device_events_stream) return;
  yield {
    key: 'device_events_stream',
    others: ['events_stream'],
    expected: 'a stream other than redis.events_stream',
  };
});

/** A node that hears of itself less often than it must would distrust its cache while all is well. */
export const redisHeartbeatsComeInTime = ofRedis(function* ({
  heartbeat_interval,
  heartbeat_timeout,
  read_block_timeout,
}) {
  if (heartbeat_timeout <= heartbeat_interval)
    yield {
      key: 'heartbeat_timeout',
      others: ['heartbeat_interval'],
      expected: 'longer than redis.heartbeat_interval',
    };
  if (read_block_timeout >= heartbeat_timeout)
    yield {
      key: 'read_block_timeout',
      others: ['heartbeat_timeout'],
      expected: 'shorter than redis.heartbeat_timeout',
    };
});
