import type { Fault } from './faults.ts';
import { parseHost, parseListen } from './hosts.ts';

/** A server of Redis as `redis.url` and `redis.sentinels` name it. */
export interface RedisAddress {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What `redis.url` says. */
export interface RedisTarget extends RedisAddress {
  readonly tls: boolean;
  readonly database: number;
}

const DEFAULT_PORT = 6379;
/** Where sentinels listen unless told otherwise. */
const DEFAULT_SENTINEL_PORT = 26_379;
/** What a server can be told to have; how many there are, it says when one of them is chosen. */
const LARGEST_DATABASE = 16_383;
const SHAPE = /^(rediss?):\/\/([^/?#@\s]*)(\/[^?#\s]*)?$/i;

export const redisUrlFault: Fault = (text) => {
  if (!/^rediss?:\/\//i.test(text)) return 'an address like redis://10.0.0.5:6379/0, or rediss:// for TLS';
  if (text.includes('@'))
    return 'an address without user and password; those are redis.username and redis.password';
  if (/[?#]/.test(text)) return 'an address without query and fragment; options are keys of [redis]';
  const [, , host = '', path = ''] = SHAPE.exec(text) ?? [];
  if (readAddress(host, DEFAULT_PORT) === undefined)
    return 'a host name or an address behind redis://, and a port from 1 to 65535 if need be';
  return readDatabase(path) === undefined
    ? `the number of a database behind the host, from 0 to ${LARGEST_DATABASE}, or nothing`
    : undefined;
};

/** Reads a `redis.url` without fault; `undefined` for any other. */
export function parseRedisUrl(text: string): RedisTarget | undefined {
  const [, scheme = '', host = '', path = ''] = SHAPE.exec(text) ?? [];
  const address = readAddress(host, DEFAULT_PORT);
  const database = readDatabase(path);
  if (address === undefined || database === undefined) return undefined;
  return { ...address, database, tls: scheme.toLowerCase() === 'rediss' };
}

export const sentinelFault: Fault = (text) =>
  parseSentinel(text) === undefined ? 'host or host:port, like 10.0.0.7:26379' : undefined;

export const parseSentinel = (text: string): RedisAddress | undefined =>
  readAddress(text, DEFAULT_SENTINEL_PORT);

function readAddress(text: string, defaultPort: number): RedisAddress | undefined {
  const parsed = parseHost(text);
  if (parsed === undefined) return undefined;
  const { hostname, port } = parseListen(text) ?? { ...parsed, port: defaultPort };
  return port === 0 ? undefined : { host: hostname.replaceAll(/^\[|\]$/g, ''), port };
}

/** No path, or `/`, is database 0. A number in another way of writing it may be a slip of the hand. */
function readDatabase(path: string): number | undefined {
  const digits = path.slice(1);
  if (digits === '') return 0;
  const number = /^(0|[1-9]\d{0,4})$/.test(digits) ? Number(digits) : Number.NaN;
  return number <= LARGEST_DATABASE ? number : undefined;
}

/** Longer than any name somebody means, and far below what a key may be. */
const MAX_STREAM_NAME = 200;
const OWN_KEYS = /^postern:(?:[^:]*:|(?:nonces|sessions)$)/;

/** The key of a stream. Our other keys are `postern:<what>:<which>` and two that stand for all: a stream of that name would be taken for one. */
export const streamNameFault: Fault = (text) => {
  if (/\s/.test(text) || text.length > MAX_STREAM_NAME)
    return `the name of a stream: at most ${MAX_STREAM_NAME} characters, without blanks`;
  return OWN_KEYS.test(text) ? 'another name; this one is, or may become, another key of Postern' : undefined;
};
