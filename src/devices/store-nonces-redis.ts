import type { RedisConnections } from '../redis/open.ts';
import { redisScript, scriptRunner } from '../redis/script.ts';
import type { SessionId } from '../sessions/model.ts';
import { LEAP_SECONDS } from './constants.ts';

/** A nonce that somebody used; times in seconds since 1970. */
export interface UsedNonce {
  readonly sessionId: SessionId;
  readonly nonce: string;
  readonly created: number;
  readonly now: number;
  /** How long it is remembered at least. */
  readonly keptSeconds: number;
}

export interface NonceAnswer {
  readonly verdict: 'fresh' | 'replayed' | 'stale';
  /** Another one from the moment on at which Redis may have forgotten something. */
  readonly life: string;
}

/** Nonces that were used with any process. Everything rejects with AppError `unavailable` (`store_unavailable`). */
export interface NonceStore {
  take(used: UsedNonce): Promise<NonceAnswer>;
  life(): Promise<string>;
  /** Told when Redis is back after it was away. */
  onReturn(listener: () => void): Disposable;
}

/** Says that nothing was forgotten since it was written: it goes with whatever takes the nonces. */
const LIFE_KEY = 'postern:nonces';
/** What one session may use within `keptSeconds`; beyond it the oldest are forgotten, and their floor rises. */
const MOST = 16_384;
/** Longer than a clock is believed to be set back: a floor that is gone by then is needed no more. */
const KEY_LIFE_MS = 25 * 3_600_000;

const LIFE = redisScript(`
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
`);

/**
 * The nonces of a session by the second in which they were created. What is forgotten leaves a floor behind, as the member '': whatever was
 * created by then counts as used.
 * KEYS the session’s, life. ARGV nonce, created, now, kept, a life if there is none yet.
 */
const TAKE = redisScript(`
redis.call('SET', KEYS[2], ARGV[5], 'NX')
local life = redis.call('GET', KEYS[2])
local created, now, kept = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local floor = tonumber(redis.call('ZSCORE', KEYS[1], '') or 0)
if floor > now + ${LEAP_SECONDS} then floor = 0 end
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return { 'replayed', life } end
if created <= floor then return { 'stale', life } end
redis.call('ZADD', KEYS[1], created, ARGV[1])
local past = redis.call('ZREVRANGEBYSCORE', KEYS[1], now - kept, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
local cut = tonumber(past[2] or 0)
if redis.call('ZCARD', KEYS[1]) > ${MOST} then
  local eighth = redis.call('ZRANGE', KEYS[1], ${MOST / 8}, ${MOST / 8}, 'WITHSCORES')
  cut = math.max(cut, tonumber(eighth[2]))
end
if cut > floor then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', cut)
  redis.call('ZADD', KEYS[1], cut, '')
end
redis.call('PEXPIRE', KEYS[1], ${KEY_LIFE_MS})
return { 'fresh', life }
`);

/** Nonces in Redis. */
export function nonceStore(
  redis: Pick<RedisConnections, 'commands' | 'connection' | 'onReconnect'>,
): NonceStore {
  const run = scriptRunner(redis.commands);

  /** A server that was started anew, or a copy that took its place, may lack what was written last. */
  const lifeOf = (marker: string): string => {
    const { runId, replicationId } = redis.connection.server;
    return `${runId} ${replicationId} ${marker}`;
  };

  return {
    async take({ sessionId, nonce, created, now, keptSeconds }) {
      const keys = [`${LIFE_KEY}:${sessionId}`, LIFE_KEY];
      const args = [printOf(nonce), created, now, keptSeconds, Bun.randomUUIDv7()];
      const [verdict, marker] = (await run(TAKE, keys, args)) as [NonceAnswer['verdict'], string];
      return { verdict, life: lifeOf(marker) };
    },
    life: async () => lifeOf(String(await run(LIFE, [LIFE_KEY], [Bun.randomUUIDv7()]))),
    onReturn: (listener) => redis.onReconnect(() => listener()),
  };
}

/** Never empty, and as short for every nonce. */
const printOf = (nonce: string): string => Bun.SHA256.hash(nonce, 'base64url').slice(0, 22);
