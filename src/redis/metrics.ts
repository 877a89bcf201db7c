import type { Metrics } from '../lib/metrics.ts';
import { failureKind } from './errors.ts';
import type { ConnectionUse } from './options.ts';

/** In seconds: a server in the same house answers within a tenth of the first. */
const BUCKETS = [0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

export interface CommandMeter {
  /** Of one command that was answered, or failed. */
  answered(seconds: number): void;
  failed(error: unknown): void;
}

/** How commands fare, whichever connection they use; a read that waits for news is none of them. */
export function commandMeter(metrics: Metrics): CommandMeter {
  const seconds = metrics.histogram(
    'postern_redis_command_seconds',
    'Time that Redis took to answer.',
    BUCKETS,
  );
  const failures = new Map(
    (['timeout', 'connection', 'refused'] as const).map((reason) => [
      reason,
      metrics.counter('postern_redis_failed_commands_total', 'Commands to Redis that failed.', { reason }),
    ]),
  );
  return {
    answered: (took) => seconds.observe(took),
    failed: (error) => failures.get(failureKind(error))?.inc(),
  };
}

/** Whether a connection stands, and how often it had to be made again. */
export function connectionMetrics(metrics: Metrics, use: ConnectionUse, isReady: () => boolean) {
  metrics.gauge(
    'postern_redis_connected',
    'Whether Redis is connected (1) or not (0).',
    () => (isReady() ? 1 : 0),
    { connection: use },
  );
  return metrics.counter(
    'postern_redis_reconnects_total',
    'Connections to Redis that were made again after they were lost.',
    { connection: use },
  );
}
