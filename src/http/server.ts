import type { Elysia } from 'elysia';
import type { Clock } from '../lib/clock.ts';
import type { AddressRange } from '../lib/ip-address.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { onceReady } from '../lib/once.ts';
import { cors } from './cors.ts';
import { dispatcher } from './dispatch.ts';
import { errorAnswers } from './errors.ts';
import { requestHost, unknownHost } from './host.ts';
import { listen } from './listener.ts';
import type { NativeHandler, NativeRoutes, Peer } from './native.ts';
import { type BunHandler, type NativeRules, nativeRoute } from './native-route.ts';
import type { PublicOrigin } from './origin.ts';
import { isForOtherHost, OTHER_HOSTS_ROUTE, type OtherHosts } from './other-hosts.ts';
import { peerTable } from './peers.ts';
import { routeMeters } from './route-meter.ts';
import { routeTable } from './route-table.ts';
import type { TlsSource } from './tls-source.ts';
import type { SocketLimits } from './web-socket.ts';

export interface ServerOptions {
  listen: { readonly hostname: string; readonly port: number };
  /** The origin of `url`. */
  origin: PublicOrigin;
  /**
   * Every feature's routes, added to `newRouter()`: made with the first request that no native route answers. A start is
   * not to wait for them. Where that fails, such a request is answered with an error, and the next one tries again.
   */
  app: () => Promise<Pick<Elysia, 'fetch' | 'router'>>;
  /** For proxies: a trusted peer may send them any Host. */
  nativeRoutes?: NativeRoutes;
  /** For programs, on the host of `origin` alone: whoever sends them. */
  ownRoutes?: NativeRoutes;
  /** For devices, on the host of `origin` and on `relayHost`: whoever sends them. */
  relayRoutes?: NativeRoutes;
  relayHost?: string;
  /** For probes: anybody may send them any Host. */
  probeRoutes?: NativeRoutes;
  /** Hosts on which nearly nothing is ours. */
  otherHosts?: OtherHosts | undefined;
  /** Whether a host (lower case, with its port unless that is the scheme's own) is served here. */
  isServedHost: (host: string) => boolean;
  trustedProxies: readonly AddressRange[];
  /** Origins whose pages may call `/api/v1`. */
  corsOrigins: readonly string[];
  tls?: TlsSource | undefined;
  limits: ServerLimits;
  /** Called when nothing more is accepted: ends what would stay open for ever (event streams, WebSockets). */
  endOpenAnswers?: () => void;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

export interface ServerLimits {
  maxBodyBytes: number;
  /** The largest body that one of `ownRoutes` reads, where that is more. */
  maxOwnBodyBytes?: number;
  /** Absent where nothing is a WebSocket. */
  sockets?: SocketLimits;
  headTimeoutMs: number;
  drainTimeoutMs: number;
}

export interface Server extends AsyncDisposable {
  /** Where it really listens: a port of 0 is a real one here. */
  readonly address: { readonly hostname: string; readonly port: number };
}

/** Bodies up to this many times the limit are refused by us, with words; larger ones by the runtime, without. */
const REFUSED_WITH_WORDS = 2;

/** The runtime's largest idle timeout, in seconds. */
const MAX_IDLE_SECONDS = 255;

/**
 * Starts the appliance's server. Disposing stops accepting, drains, and cuts what is left at the deadline.
 * @throws CommandError when the address cannot be had.
 */
export function startServer(options: ServerOptions): Server {
  const { origin, isServedHost, limits, clock, log, tls } = options;
  const idleSeconds = Math.min(Math.ceil(limits.headTimeoutMs / 1000), MAX_IDLE_SECONDS);
  const peers = peerTable(options.trustedProxies, options.listen.hostname);
  const errors = errorAnswers({ log, origin });
  const meterOf = routeMeters(options.metrics);

  const requireServedHost = (request: Request, peer: Peer) => {
    if (!peer.trusted && !isServedHost(requestHost(request, origin.secure))) throw unknownHost(origin);
  };
  const requireOwnHost = (request: Request) => {
    if (request.headers.get('host') === origin.host) return;
    if (requestHost(request, origin.secure) !== origin.host) throw unknownHost(origin);
  };
  const requireRelayHost = (request: Request) => {
    const host = requestHost(request, origin.secure);
    if (host !== origin.host && host !== options.relayHost) throw unknownHost(origin);
  };
  const unlessForOthers = asideFor(options.otherHosts, origin, (handle) =>
    nativeRoute(handle, { peers, errors, meter: meterOf(OTHER_HOSTS_ROUTE) }),
  );
  const wrap = (routes: NativeRoutes = {}, rules: NativeRules = {}) =>
    Object.entries(routes).map(([path, handle]) => {
      const route = nativeRoute(handle, { peers, errors, meter: meterOf(path), ...rules });
      return [path, unlessForOthers(route)] as const;
    });
  const routes = Object.fromEntries([
    ...wrap(options.nativeRoutes, { guard: requireServedHost }),
    ...wrap(options.ownRoutes, { guard: requireOwnHost }),
    ...wrap(options.relayRoutes, { guard: requireRelayHost }),
    ...wrap(options.probeRoutes, { methods: ['GET', 'HEAD'] }),
  ]);
  const dispatch = dispatcher({
    application: onceReady(async () => {
      const app = await options.app();
      return { fetch: (request: Request) => app.fetch(request), table: routeTable(app) };
    }),
    cors: cors(options.corsOrigins),
    errors,
    meterOf,
    peers,
    origin,
    isServedHost,
    maxBodyBytes: limits.maxBodyBytes,
    idleSeconds,
    clock,
    log,
  });
  const listener = listen({
    key: 'listen',
    ...options.listen,
    routes,
    fetch: unlessForOthers(dispatch),
    tls: tls?.current,
    idleSeconds,
    maxBodyBytes: Math.max(limits.maxBodyBytes, limits.maxOwnBodyBytes ?? 0) * REFUSED_WITH_WORDS,
    sockets: limits.sockets,
    clock,
    log,
  });
  tls?.onChange((material) => listener.replaceTls(material));

  return {
    address: { hostname: listener.hostname, port: listener.port },
    async [Symbol.asyncDispose]() {
      const drained = listener.drain(limits.drainTimeoutMs);
      options.endOpenAnswers?.();
      await drained;
    },
  };
}

/** Puts in front of a handler that requests for the other hosts go to theirs. */
function asideFor(
  others: OtherHosts | undefined,
  { secure }: PublicOrigin,
  toRoute: (handle: NativeHandler) => BunHandler,
): (handler: BunHandler) => BunHandler {
  if (others === undefined) return (handler) => handler;
  const theirs = toRoute(others.handle);
  return (handler) => (request, server) =>
    isForOtherHost(request, others, secure) ? theirs(request, server) : handler(request, server);
}
