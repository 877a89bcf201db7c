import type { Redis } from 'ioredis';
import type { RedisConfig } from '../config/schema.ts';
import { type Clock, type Timer, withDeadline } from '../lib/clock.ts';
import { listeners } from '../lib/listeners.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { newRedisClient } from './client.ts';
import { redisReason } from './errors.ts';
import type { ServerInfo } from './info.ts';
import { commandMeter, connectionMetrics } from './metrics.ts';
import { type ConnectionUse, redisOptions } from './options.ts';
import { type ServerCheck, serverCheck } from './server-check.ts';

export interface RedisDeps {
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

/** A connection that is made again by itself whenever it is lost. Disposing ends it at once; twice is harmless. */
export interface RedisConnection extends Disposable {
  /** Its commands fail at once while it is down, and when they have no answer in time. */
  readonly client: Redis;
  /** Whether commands are taken now. */
  readonly isReady: boolean;
  /** What the server said of itself when the connection was last made. */
  readonly server: ServerInfo;
  /** Why it is down, or was when it was last down. */
  readonly fault: string | undefined;
  /** Resolves once commands are taken, at once where they are. Rejects with the reason of `signal`. */
  whenReady(signal: AbortSignal): Promise<void>;
  /** Told each time that it stands again after it was lost: whatever was known of the server may be untrue. */
  readonly onReconnect: (listener: (server: ServerInfo) => void) => Disposable;
  /** Hangs up and dials again, perhaps to find another server; does nothing while it is down anyway. */
  renew(): void;
  /** Told each time that it is lost. */
  readonly onLost: (listener: () => void) => Disposable;
}

/**
 * Connects, and looks whether the server will do. Rejects with an error whose message is the reason in words; nothing in
 * it is secret.
 */
export async function connectRedis(
  config: RedisConfig,
  use: ConnectionUse,
  { clock, log, metrics }: RedisDeps,
): Promise<RedisConnection> {
  const check = serverCheck();
  const client = newRedisClient(redisOptions(config, use, check.accept), {
    clock,
    // A read that waits for news says nothing about how fast the server is.
    meter: use === 'commands' ? commandMeter(metrics) : undefined,
  });
  client.on('error', check.failed);
  using failing = new DisposableStack();
  failing.defer(() => client.disconnect());
  const late = () => new Error('Command timed out');
  const standing = withDeadline(
    clock,
    config.connect_timeout + config.lookup_timeout,
    client.connect(),
    late,
  );
  // The client's own error is not handed on as the cause: it holds what was sent.
  await standing.catch((error: unknown) => Promise.reject(new Error(check.fault ?? redisReason(error))));
  failing.move();
  return watchConnection(client, use, check, { clock, log, metrics });
}

function watchConnection(
  client: Redis,
  use: ConnectionUse,
  check: ServerCheck,
  deps: RedisDeps,
): RedisConnection {
  const losses = watchLosses(client, use, check, deps);
  const isReady = () => client.status === 'ready';
  return {
    client,
    get isReady() {
      return isReady();
    },
    get server() {
      return check.server;
    },
    get fault() {
      return check.fault;
    },
    whenReady: (signal) => whenReady(client, signal),
    renew() {
      if (isReady()) client.disconnect(true);
    },
    onReconnect: losses.onReconnect,
    onLost: losses.onLost,
    [Symbol.dispose]() {
      losses[Symbol.dispose]();
      client.disconnect();
    },
  };
}

/** How soon a client that gave up is told to dial again. */
const GIVEN_UP_MS = 500;

/** Counts, logs and tells when the connection is lost and when it stands again. Disposing says that the next loss is meant. */
function watchLosses(
  client: Redis,
  use: ConnectionUse,
  check: ServerCheck,
  { clock, log, metrics }: RedisDeps,
): Pick<RedisConnection, 'onLost' | 'onReconnect'> & Disposable {
  const reconnects = connectionMetrics(metrics, use, () => client.status === 'ready');
  const onListenerError = (error: unknown) =>
    log.error('somebody who was to hear of the connection to Redis failed', { error });
  const back = listeners<ServerInfo>(onListenerError);
  const lost = listeners<void>(onListenerError);
  let lostAt: number | undefined;
  let dialing: Timer | undefined;
  let isEnding = false;

  const onClose = () => {
    if (isEnding || lostAt !== undefined) return;
    lostAt = clock.monotonicNow();
    log.warn('the connection to Redis is lost; it is tried again', { connection: use, reason: check.fault });
    lost.tell();
  };
  const onReady = () => {
    if (lostAt === undefined) return;
    const afterMs = Math.round(clock.monotonicNow() - lostAt);
    lostAt = undefined;
    reconnects.inc();
    log.info('Redis is connected again', { connection: use, after_ms: afterMs });
    back.tell(check.server);
  };
  /** The client gives up when it could not even try: a file of TLS cannot be read. */
  const onEnd = () => {
    if (isEnding) return;
    dialing = clock.setTimer(GIVEN_UP_MS, () => void client.connect().catch(check.failed));
  };
  client.on('close', onClose).on('ready', onReady).on('end', onEnd);

  return {
    onLost: lost.add,
    onReconnect: back.add,
    [Symbol.dispose]() {
      isEnding = true;
      dialing?.[Symbol.dispose]();
    },
  };
}

function whenReady(client: Redis, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      client.off('ready', onReady);
      signal.removeEventListener('abort', onAbort);
    };
    const onReady = () => {
      stop();
      resolve();
    };
    const onAbort = () => {
      stop();
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    if (signal.aborted) return onAbort();
    if (client.status === 'ready') return onReady();
    signal.addEventListener('abort', onAbort, { once: true });
    client.on('ready', onReady);
  });
}
