import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import type { Limiter, LimiterOptions, OpenLimiter, Refused, Taken } from '../lib/limiter.ts';
import type { Counter } from '../lib/metrics.ts';
import { type RunScript, redisScript } from '../redis/script.ts';
import { localLimiter } from './rate-limit.ts';

export interface SharedLimiterDeps {
  run: RunScript;
  ring: KeyRing;
  clock: Clock;
  /** Counts what this process had to count alone, because Redis did not answer. */
  alone: Counter;
}

/** A name or an address must not stand in Redis, nor be guessed from what stands there. */
const LIMITS = keyPurpose('limits in redis');

/**
 * The cell rate algorithm of `rateLimiter`, by the time of Redis, for all processes alike. A bucket is never fuller than it can be: a
 * clock that was set back locks nobody out for longer than one window.
 * KEYS bucket. ARGV milliseconds that one takes, milliseconds that fit in.
 */
const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local one, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(now, math.min(now + window, tonumber(redis.call('GET', KEYS[1]) or 0) or 0))
local function put(emptyAt)
  local left = math.ceil(emptyAt - now)
  if left <= 0 then redis.call('DEL', KEYS[1])
  else redis.call('SET', KEYS[1], string.format('%.3f', emptyAt), 'PX', string.format('%d', left)) end
end
`;

/** Answers how many milliseconds there are to wait; 0: it was counted. A rounding error must not cost the last place. */
const TAKE = redisScript(`${PRELUDE}
local wait = full + one - now - window
if wait > 1 then return math.ceil(wait) end
put(full + one)
return 0
`);

const GIVE_BACK = redisScript(`${PRELUDE}
put(full - one)
return 0
`);

/**
 * Limits that all processes count together, in Redis. Each process counts for itself as well: that is the limit while Redis is
 * away, and what is over it costs no round trip.
 */
export function sharedLimiter({ run, ring, clock, alone }: SharedLimiterDeps): OpenLimiter {
  return (options) => {
    const local = localLimiter(clock, options);
    const args = [options.windowMs / options.limit, options.windowMs];

    const giveBack = (bucket: string) => {
      // What cannot be given back comes back by itself.
      run(GIVE_BACK, [bucket], args).catch(() => undefined);
    };

    const takeThere = async (bucket: string, here: Taken): Promise<Taken | Refused> => {
      const waitMs = await run(TAKE, [bucket], args).then(Number, () => undefined);
      if (waitMs === undefined) {
        alone.inc();
        return here;
      }
      if (waitMs > 0) {
        here.giveBack();
        return { ok: false, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) };
      }
      return {
        ok: true,
        giveBack() {
          here.giveBack();
          giveBack(bucket);
        },
      };
    };

    const take: Limiter['take'] = (key) => {
      const here = local.take(key);
      return here.ok ? takeThere(bucketOf(ring, options, key), here) : here;
    };
    return { take };
  };
}

function bucketOf(ring: KeyRing, { name }: LimiterOptions, key: string): string {
  const [{ bytes }] = ring.keys(LIMITS);
  const hash = new Bun.CryptoHasher('sha256', bytes).update(`${name}\0${key}`).digest('base64url');
  return `postern:limit:${hash}`;
}
