import { Redis, type RedisOptions } from 'ioredis';
import type { Clock } from '../lib/clock.ts';
import type { CommandMeter } from './metrics.ts';

const MS_PER_SECOND = 1_000;

export interface ClientDeps {
  clock: Pick<Clock, 'monotonicNow'>;
  /** Told of every command, those of pipelines and transactions included. */
  meter: CommandMeter | undefined;
}

/** A client that connects when it is told to, if `options` say so. */
export function newRedisClient(options: RedisOptions, { clock, meter }: ClientDeps): Redis {
  const client = new Redis({ ...options, replyMapping: 'legacy' });
  if (meter === undefined) return client;
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    const startedAt = clock.monotonicNow();
    command.promise.then(
      () => meter.answered((clock.monotonicNow() - startedAt) / MS_PER_SECOND),
      (error: unknown) => meter.failed(error),
    );
    return send(command, stream);
  };
  return client;
}
