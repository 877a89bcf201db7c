import type { Clock } from '../lib/clock.ts';
import type { AgentLimits } from './config-schema.ts';
import { type ConnectionOwner, HttpConnection } from './http-connection.ts';
import { connectLocal } from './local-socket.ts';
import type { HttpTarget } from './model.ts';

/** Connections to one service, kept open for a while for the next request. */
export interface HttpClient extends Disposable {
  /**
   * A connection that is free, or a new one. `mayBeStale`: whether the request can be sent again where the service has just
   * closed the connection.
   * @throws ConnectError; TooManyConnections
   */
  take(mayBeStale: boolean): HttpConnection | Promise<HttpConnection>;
  /** A new one in any case. */
  connect(): Promise<HttpConnection>;
  readonly open: number;
}

export interface HttpClientDeps {
  target: HttpTarget;
  limits: AgentLimits;
  clock: Clock;
}

/** There are as many connections to the service as there may be. */
export class TooManyConnections extends Error {
  override readonly name = 'TooManyConnections';
}

/** A request that must not be sent twice goes only over a connection that was in use a moment ago. */
const FRESH_MS = 1_000;

export function httpClient({ target, limits, clock }: HttpClientDeps): HttpClient {
  const all = new Set<HttpConnection>();
  const idle: HttpConnection[] = [];
  let opening = 0;
  let sweeping: Disposable | undefined;
  let isEnded = false;

  const sweep = () => {
    sweeping = undefined;
    const before = clock.monotonicNow() - limits.idle_timeout;
    // The oldest are in front.
    while (idle[0] !== undefined && idle[0].freeSince <= before) idle[0].destroy();
    if (idle.length > 0) sweeping = clock.setTimer(limits.idle_timeout, sweep);
  };
  const owner: ConnectionOwner = {
    headBytes: limits.head_bytes,
    free(connection) {
      if (isEnded || idle.length >= limits.idle_connections) return connection.destroy();
      connection.freeSince = clock.monotonicNow();
      connection.resume();
      idle.push(connection);
      sweeping ??= clock.setTimer(limits.idle_timeout, sweep);
    },
    gone(connection) {
      all.delete(connection);
      const at = idle.indexOf(connection);
      if (at !== -1) idle.splice(at, 1);
    },
  };
  const connect = async () => {
    if (all.size + opening >= limits.connections_per_service) throw new TooManyConnections();
    const connection = new HttpConnection(owner);
    opening++;
    try {
      connection.attach(await connectLocal(target, connection, { clock, timeoutMs: limits.connect_timeout }));
    } finally {
      opening--;
    }
    if (!connection.isGone) all.add(connection);
    if (isEnded) connection.destroy();
    return connection;
  };

  return {
    take(mayBeStale) {
      const newest = idle.at(-1);
      if (newest === undefined) return connect();
      if (!mayBeStale && newest.freeSince < clock.monotonicNow() - FRESH_MS) return connect();
      idle.pop();
      return newest;
    },
    connect,
    get open() {
      return all.size;
    },
    [Symbol.dispose]() {
      isEnded = true;
      sweeping?.[Symbol.dispose]();
      for (const connection of all) connection.destroy();
    },
  };
}
