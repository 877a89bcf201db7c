import { systemClock } from '../../lib/clock.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { type Check, findingsAbout } from './finding.ts';

const { ok, warn, fail } = findingsAbout('redis');

/** Whether Redis can be used, where it is to be: it connects as the server does. */
export const checkRedis: Check = async ({ config: { redis } }) => {
  if (redis.url === undefined) return [ok('off: browser sessions are kept in the database')];
  const { openRedis } = await import('../../redis/open.ts');
  const log = createLogger({ format: 'text', level: 'error', clock: systemClock, write: () => undefined });
  try {
    using opened = await openRedis(redis, { clock: systemClock, log, metrics: createMetrics() });
    return [
      ok(`${opened.target}: version ${opened.connection.server.version}`),
      ...opened.shortcomings.map((shortcoming) => warn(shortcoming)),
    ];
  } catch (error) {
    return [fail(error instanceof Error ? error.message : String(error))];
  }
};
