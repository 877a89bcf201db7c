import type { Redis } from 'ioredis';
import type { RedisConfig } from '../config/schema.ts';
import { redisReason } from './errors.ts';
import { mayEvict, type ServerInfo } from './info.ts';

/** Written to see whether writes are taken; gone by itself. */
const PROBE_KEY = 'postern:probe:write';
const PROBE_LIFE_MS = 60_000;

/** Whether writes are taken. Rejects with an error whose message is the reason in words. */
export async function requireWrites(client: Redis): Promise<void> {
  await inWords(client.set(PROBE_KEY, '', 'PX', PROBE_LIFE_MS));
}

/** Whether the keys of the streams are, or can become, streams. Rejects as above. */
export async function requireStreams(
  client: Redis,
  { events_stream, device_events_stream }: RedisConfig,
): Promise<void> {
  for (const [key, name] of Object.entries({ events_stream, device_events_stream })) {
    const type = await inWords(client.type(name));
    if (type !== 'none' && type !== 'stream')
      throw new Error(`redis.${key} is "${name}", which is a ${type} there and no stream`);
  }
}

/** The client's own error is not handed on as the cause: it holds the command with its arguments. */
function inWords<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => Promise.reject(new Error(redisReason(error))));
}

/** What is no reason to refuse a server, and a reason to change it. */
export function shortcomings(server: ServerInfo): string[] {
  if (!mayEvict(server)) return [];
  return [
    `when its memory is full it throws keys away (maxmemory-policy ${server.evictionPolicy}), which signs people out; set it to noeviction`,
  ];
}
