import { parseRedisUrl, parseSentinel, type RedisAddress } from '../config/faults-redis.ts';
import type { RedisConfig } from '../config/schema.ts';
import { CommandError } from '../lib/command-error.ts';

/** Where Redis is, as the configuration says. */
export interface RedisPlace {
  /** The server itself; without use where sentinels say which one it is. */
  readonly address: RedisAddress;
  readonly sentinels: readonly RedisAddress[];
  readonly sentinelName: string | undefined;
  readonly database: number;
  readonly tls: boolean;
}

/** @throws CommandError without a `redis.url`; its callers have looked. */
export function placeOf({ url = '', sentinels, sentinel_name }: RedisConfig): RedisPlace {
  const target = parseRedisUrl(url);
  if (target === undefined) throw new CommandError('redis.url is not the address of a Redis', 2);
  const { host, port, database, tls } = target;
  return {
    address: { host, port },
    sentinels: sentinels.flatMap((text) => parseSentinel(text) ?? []),
    sentinelName: sentinel_name,
    database,
    tls,
  };
}

/** For people: where it is, and nothing that is secret. `redis.home:6379, database 0, TLS`. */
export function describePlace({ address, sentinels, sentinelName, database, tls }: RedisPlace): string {
  const at =
    sentinels.length === 0
      ? describeAddress(address)
      : `${sentinelName} of the sentinels ${sentinels.map(describeAddress).join(', ')}`;
  return `${at}, database ${database}${tls ? ', TLS' : ''}`;
}

function describeAddress({ host, port }: RedisAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
