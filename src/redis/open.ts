import type { Redis } from 'ioredis';
import type { RedisConfig } from '../config/schema.ts';
import { CommandError } from '../lib/command-error.ts';
import { connectRedis, type RedisConnection, type RedisDeps } from './connection.ts';
import type { ConnectionUse } from './options.ts';
import { describePlace, placeOf } from './place.ts';
import { requireStreams, requireWrites, shortcomings } from './usable.ts';

/** What the appliance has of Redis. Disposing ends every connection at once; twice is harmless. */
export interface RedisConnections extends Disposable {
  /** Where it is, without anything secret. */
  readonly target: string;
  /** What is no reason to refuse it, and a reason to change it; looked at when it was opened. */
  readonly shortcomings: readonly string[];
  /** For commands that are answered at once, within `redis.lookup_timeout`; they fail while Redis is away. */
  readonly commands: Redis;
  /** The connection of `commands`. */
  readonly connection: RedisConnection;
  /** Told each time that `commands` stands again after it was lost. */
  readonly onReconnect: RedisConnection['onReconnect'];
  /** One more connection, for reads that wait as long as `redis.read_block_timeout`. @throws CommandError as `openRedis`. */
  connectReader(): Promise<RedisConnection>;
  /** Whether it takes writes now. Rejects with the reason in words. */
  check(): Promise<void>;
}

/** @throws CommandError that says where Redis was looked for and why it will not do; never a secret. */
export async function openRedis(config: RedisConfig, deps: RedisDeps): Promise<RedisConnections> {
  const target = describePlace(placeOf(config));
  using opening = new DisposableStack();
  const connect = (use: ConnectionUse) => explained(target, () => connectRedis(config, use, deps));
  const connection = opening.use(await connect('commands'));
  const { client } = connection;
  await explained(target, async () => {
    await requireWrites(client);
    await requireStreams(client, config);
  });
  const found = shortcomings(connection.server);
  for (const shortcoming of found)
    deps.log.warn('Redis could be set up better', { redis: target, shortcoming });
  const opened = opening.move();
  return {
    target,
    shortcomings: found,
    commands: client,
    connection,
    onReconnect: connection.onReconnect,
    async connectReader() {
      const reader = await connect('reader');
      if (!opened.disposed) return opened.use(reader);
      reader[Symbol.dispose]();
      throw new CommandError(`the connections to Redis at ${target} have been ended`);
    },
    check: () => requireWrites(client),
    [Symbol.dispose]: () => opened.dispose(),
  };
}

async function explained<T>(target: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const reason = error instanceof Error ? error.message : 'unknown error';
    throw new CommandError(`Redis at ${target} cannot be used: ${reason}`);
  }
}
