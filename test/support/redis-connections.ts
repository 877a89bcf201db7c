import type { RedisConfig } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts';
import { openRedis, type RedisConnections } from '../../src/redis/open.ts';
import { configDirectory } from './config-directory.ts';
import { type RecordedLog, recordedLog } from './silent-log.ts';

/** `[redis]` as a configuration file says it. */
export function redisConfig(toml: string): RedisConfig {
  using directory = configDirectory(toml);
  return directory.load().redis;
}

export interface TestConnections extends Disposable {
  readonly redis: RedisConnections;
  readonly log: RecordedLog;
  readonly metrics: Metrics;
}

/** Connects as the appliance does, by the real time. */
export async function connectionsOf(toml: string): Promise<TestConnections> {
  const [log, metrics] = [recordedLog(), createMetrics()];
  const redis = await openRedis(redisConfig(toml), { clock: systemClock, log, metrics });
  return { redis, log, metrics, [Symbol.dispose]: () => redis[Symbol.dispose]() };
}
