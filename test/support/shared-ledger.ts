import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics } from '../../src/lib/metrics.ts';
import { openRedis, type RedisConnections } from '../../src/redis/open.ts';
import type { Elsewhere } from '../../src/sessions/elsewhere.ts';
import { sessionsInRedis } from '../../src/sessions/open-redis.ts';
import { ALWAYS } from '../../src/sessions/trust.ts';
import { type TemporaryLedger, type TemporaryLedgerOptions, temporaryLedger } from './ledger.ts';
import { redisConfig } from './redis-connections.ts';
import type { TestRedis } from './redis-server.ts';
import { recordedLog } from './silent-log.ts';

export interface SharedLedger extends TemporaryLedger {
  readonly redis: RedisConnections;
}

/** Nobody else is there: what a process would tell others is left in the outbox. */
const nobody = (): Elsewhere => ({
  carrier: { carry: () => undefined },
  trust: ALWAYS,
  announce: () => undefined,
  sweep: async () => undefined,
  ready: Promise.resolve(),
  [Symbol.asyncDispose]: async () => undefined,
});

/** A ledger whose browser sessions are in Redis; with `database`, another process over the same. */
export async function sharedLedger(
  server: TestRedis,
  options: TemporaryLedgerOptions = {},
): Promise<SharedLedger> {
  const redis = await openRedis(redisConfig(server.toml('lookup_timeout = "500ms"')), {
    clock: systemClock,
    log: recordedLog(),
    metrics: createMetrics(),
  });
  const sessions = sessionsInRedis(redis.commands);
  const t = temporaryLedger({ ...options, elsewhere: { open: nobody, sessions, consistency: 'strict' } });
  return {
    ...t,
    redis,
    async [Symbol.asyncDispose]() {
      await t[Symbol.asyncDispose]();
      redis[Symbol.dispose]();
    },
  };
}
