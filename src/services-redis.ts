import type { Config } from './config/schema.ts';
import { nonceStore } from './devices/store-nonces-redis.ts';
import { sharedLimiter } from './http/rate-limit-redis.ts';
import type { Clock } from './lib/clock.ts';
import type { KeyRing } from './lib/key-ring.ts';
import type { OpenLimiter } from './lib/limiter.ts';
import type { Logger } from './lib/log.ts';
import type { Metrics } from './lib/metrics.ts';
import { openRedis } from './redis/open.ts';
import { scriptRunner } from './redis/script.ts';
import { elsewhereOverRedis } from './sessions/elsewhere-redis.ts';
import type { SharedWith } from './sessions/open-ledger.ts';
import { sessionsInRedis } from './sessions/open-redis.ts';

export interface SharingDeps {
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

export type Sharing = Awaited<ReturnType<typeof shareOverRedis>>;

/**
 * What several processes share through Redis. This file, and with it all that knows Redis, is loaded only where one is configured.
 * Disposing ends every connection.
 * @throws CommandError when Redis cannot be used.
 */
export async function shareOverRedis(config: Config, { clock: wallClock, log, metrics }: SharingDeps) {
  const redis = await openRedis(config.redis, { clock: wallClock, log, metrics });
  const { consistency } = config.redis;
  return {
    redis,

    /** Browser sessions, and the other processes that use them. */
    async sessions(clock: Clock): Promise<SharedWith> {
      const open = await elsewhereOverRedis({ redis, config: config.redis, clock, log, metrics });
      return { open, sessions: sessionsInRedis(redis.commands), consistency };
    },

    /** Which nonces devices have used. */
    async nonces() {
      const store = nonceStore(redis);
      return { store, life: await store.life(), isStrict: consistency === 'strict' };
    },

    limiter({ ring, clock }: { ring: KeyRing; clock: Clock }): OpenLimiter {
      const alone = metrics.counter(
        'postern_limits_alone_total',
        'Attempts that this process counted alone, because Redis did not answer.',
      );
      return sharedLimiter({ run: scriptRunner(redis.commands), ring, clock, alone });
    },

    [Symbol.dispose]: () => redis[Symbol.dispose](),
  };
}
