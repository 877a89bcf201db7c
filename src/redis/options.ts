import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { readText } from '../config/read-text.ts';
import type { RedisConfig } from '../config/schema.ts';
import { CommandError } from '../lib/command-error.ts';
import { directConnector, sentinelConnector } from './connectors.ts';
import type { ServerInfo } from './info.ts';
import { placeOf } from './place.ts';

/** What a connection is for. The reader waits for news on the streams, so that its commands take longer. */
export type ConnectionUse = 'commands' | 'reader';

const FIRST_RETRY_MS = 25;
const LONGEST_RETRY_MS = 500;

/**
 * Options of one connection. Nothing waits in a queue for better times: a command that cannot be sent, or has no answer
 * in time, fails, and whoever sent it decides.
 */
export function redisOptions(
  config: RedisConfig,
  use: ConnectionUse,
  accept: (server: ServerInfo) => boolean,
): RedisOptions {
  const place = placeOf(config);
  const answerMs = config.lookup_timeout + (use === 'reader' ? config.read_block_timeout : 0);
  const rules = { tls: () => (place.tls ? tlsOptions(config) : undefined), accept };
  return {
    ...(place.sentinels.length > 0 && sentinelOptions(config)),
    Connector:
      place.sentinels.length === 0 ? directConnector(place.address, rules) : sentinelConnector(rules),
    // Tells the client which event of the socket means that it stands.
    ...(place.tls && { tls: {} }),
    db: place.database,
    ...credentials(config),
    connectionName: `postern-${use}`,
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: config.connect_timeout,
    commandTimeout: answerMs,
    // A peer that is gone without a word: commands fail by their own time, and this makes a new connection.
    socketTimeout: 2 * answerMs,
    maxLoadingRetryTime: LONGEST_RETRY_MS,
    retryStrategy: (attempt) => Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), LONGEST_RETRY_MS),
    // A primary that has become a replica keeps its connections; it says so to who writes, and to who waits.
    reconnectOnError: ({ message }) => /READONLY|^UNBLOCKED/.test(message),
  };
}

/** With a name the server refuses a wrong password even where it needs none, instead of a warning on the terminal. */
function credentials({ username = 'default', password }: RedisConfig): RedisOptions {
  return password === undefined ? {} : { username, password };
}

function sentinelOptions(config: RedisConfig): RedisOptions {
  const { sentinels, sentinelName = '', tls } = placeOf(config);
  const { sentinel_username, sentinel_password } = config;
  return {
    sentinels: [...sentinels],
    name: sentinelName,
    enableTLSForSentinelMode: tls,
    sentinelRetryStrategy: () => LONGEST_RETRY_MS,
    sentinelCommandTimeout: config.lookup_timeout,
    ...(sentinel_username !== undefined && { sentinelUsername: sentinel_username }),
    ...(sentinel_password !== undefined && { sentinelPassword: sentinel_password }),
  };
}

/** @throws CommandError that names a file which cannot be read. */
function tlsOptions({ tls = {} }: RedisConfig): ConnectionOptions {
  const { ca, cert, key, server_name } = tls;
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: pem('ca', ca) }),
    ...(cert !== undefined && { cert: pem('cert', cert) }),
    ...(key !== undefined && { key: pem('key', key) }),
    ...(server_name !== undefined && { servername: server_name }),
  };
}

function pem(key: string, path: string): string {
  try {
    return readText(path);
  } catch (error) {
    throw new CommandError(
      `redis.tls.${key}: ${path} cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`,
    );
  }
}
