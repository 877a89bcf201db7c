import { wwwAuthenticate } from './authorization-server/metadata.ts';
import { oauthRoutes } from './authorization-server/routes-native.ts';
import { childEnvironment, homeDirectory } from './config/child-environment.ts';
import { sourceFiles } from './config/config.ts';
import { nameOf } from './config/device-base.ts';
import { parseListen } from './config/hosts.ts';
import type { Config } from './config/schema.ts';
import type { Leadership } from './db/leader.ts';
import { addDemoDevices } from './devices/demo.ts';
import { hubRoundMs } from './devices/open-hub.ts';
import { openReach } from './devices/routes-open-reach.ts';
import { startMetricsServer } from './http/metrics-server.ts';
import { type PublicOrigin } from './http/origin.ts';
import { startServer } from './http/server.ts';
import type { TlsSource } from './http/tls-source.ts';
import { buildInfo } from './lib/build-info.ts';
import type { Clock } from './lib/clock.ts';
import { CommandError } from './lib/command-error.ts';
import { parseRange } from './lib/ip-address.ts';
import type { Logger } from './lib/log.ts';
import { startLoop } from './lib/loop.ts';
import type { RunningBroker } from './mcp/broker.ts';
import { openMcpBroker } from './mcp/open-mcp.ts';
import { type McpFront, openMcpFront } from './mcp/routes-front.ts';
import { loopMetrics } from './ops/loop-metrics.ts';
import { type MemoryAtRest, memoryAtRest } from './ops/memory-at-rest.ts';
import { observeNode } from './ops/node-metrics.ts';
import { observeProcess } from './ops/process-metrics.ts';
import { readiness } from './ops/readiness.ts';
import { probeRoutes } from './ops/routes.ts';
import { clockCheck, databaseCheck } from './ops/store-health.ts';
import { type AppDeps, type OpenServices, openServices, relayHost } from './services.ts';
import { toSessionEvent } from './sessions/dto-fields.ts';
import { sessionEventStreams } from './sessions/events-streams.ts';
import { droppedEvents } from './sessions/metrics.ts';
import { addDemoUser } from './sign-in/demo.ts';
import { passwordHasher } from './users/password-hash.ts';

export type App = Awaited<ReturnType<typeof openApp>>;

/** Processes of one data directory that begin within so many milliseconds begin together. */
const SAME_START_MS = 10_000;

/** How soon events of processes that died are published. */
const OUTBOX_SWEEP_MS = 1_000;

/** The appliance: services, loops, then what listens. Disposing goes the other way, and drains. */
export async function openApp(config: Config, { clock: wallClock, log }: AppDeps) {
  await using starting = new AsyncDisposableStack();
  const services = starting.use(await openServices(config, { clock: wallClock, log, serves: true }));
  const { db, clock, metrics, redis, local, ledger, origin, forwardAuth } = services;
  const demo = config.demo ? await addDemo(services) : undefined;
  const setupLink = await local.setup.makeLink({
    sparingMs: config.redis.url === undefined ? 0 : SAME_START_MS,
  });

  const streams = starting.use(
    sessionEventStreams({
      ledger,
      events: ledger.events,
      describe: toSessionEvent,
      maxStreamsPerUser: config.sessions.event_streams_per_user,
      tooSlow: droppedEvents(metrics, 'reader_too_slow'),
    }),
  );
  const mcp = await openMcp(config, services, { clock, log }, starting);
  const isInUse = () => mcp.broker.placesTaken > 0;
  const memory = starting.use(memoryAtRest({ clock: wallClock, isInUse }));
  for (const loop of [...loopsOf(config, services, streams), ...mcpLoops(config, mcp, memory)]) {
    starting.use(startLoop({ ...loop, clock, log, onRound: loopMetrics(metrics)(loop.name) }));
  }

  const connectedApps = services.authorizationServer.connectedApps((userId) =>
    services.brokerRole.isHere ? mcp.broker.running(userId) : undefined,
  );
  const reach = openReach({ ...services, config: config.devices });
  const ready = readiness({
    parts: { database: databaseCheck(db), clock: clockCheck(db), redis: redis && (() => redis.check()) },
    clock: wallClock,
    log,
  });
  const tls = await tlsOf(config, origin, { clock: wallClock, log });
  if (tls !== undefined) starting.use(tls);
  observeNode(services);
  observeProcess({ metrics, clock: wallClock, build: buildInfo });
  const shared = { clock: wallClock, log, metrics };
  starting.use(startMetricsServer({ ...shared, listen: addressOf(config.metrics_listen) }));
  const server = startServer({
    ...shared,
    listen: addressOf(config.listen),
    origin,
    app: async () =>
      (await import('./app-routes.ts')).appRouter({ config, services, streams, connectedApps }),
    nativeRoutes: forwardAuth.nativeRoutes,
    ownRoutes: {
      ...oauthRoutes(services.authorizationServer),
      ...mcp.front.nativeRoutes,
      ...reach.pathRoutes,
    },
    relayRoutes: reach.tunnelRoutes,
    relayHost: relayHost(config),
    otherHosts: reach.otherHosts,
    probeRoutes: probeRoutes(ready),
    isServedHost: (host) => host === origin.host || forwardAuth.isSiteHost(host),
    trustedProxies: config.trusted_proxies.flatMap((range) => parseRange(range) ?? []),
    corsOrigins: config.cors.allowed_origins,
    tls,
    limits: {
      maxBodyBytes: config.http.max_body_bytes,
      maxOwnBodyBytes: Math.max(mcp.front.maxBodyBytes, config.devices.max_request_bytes),
      sockets: {
        maxMessageBytes: config.devices.max_message_bytes,
        maxBufferedBytes: config.devices.max_buffered_bytes,
      },
      headTimeoutMs: config.http.head_timeout,
      drainTimeoutMs: config.http.drain_timeout,
    },
    endOpenAnswers: () => {
      streams[Symbol.dispose]();
      mcp.front.close();
      reach.close();
    },
  });
  starting.use(server);

  const { hostname, port } = server.address;
  const running = starting.move();
  return {
    services,
    url: origin.origin,
    listen: hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`,
    fingerprint: tls?.fingerprint,
    setupLink,
    demo,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Somebody to be, devices to look at, and a code for one more; once. */
async function addDemo(services: OpenServices) {
  const user = await addDemoUser({ ...services, hasher: passwordHasher() });
  return user && { ...user, pairingLink: await addDemoDevices(services, user.id) };
}

/** Everything that happens by itself. Each is also a command, or nobody's business. */
function loopsOf(
  { sessions, devices, upstream: { rotate_interval } }: Config,
  { ledger, leadership, reap, upstream, hub, redis }: OpenServices,
  streams: ReturnType<typeof sessionEventStreams>,
) {
  return [
    { name: 'touches', everyMs: sessions.touch_interval, run: () => ledger.flush() },
    { name: 'reaper', everyMs: sessions.reap_interval, run: onlyLeading(leadership, reap) },
    ...(redis === undefined
      ? []
      : [
          {
            name: 'outbox',
            everyMs: OUTBOX_SWEEP_MS,
            run: onlyLeading(leadership, () => ledger.sweepOutbox()),
          },
        ]),
    {
      name: 'live-check',
      everyMs: sessions.live_check_interval,
      run: async () => {
        await ledger.closeExpired();
        await streams.tellExpired();
      },
    },
    // Where no backend is given tokens, nothing is ever due.
    ...(upstream.isNeeded
      ? [{ name: 'rotator', everyMs: rotate_interval, run: () => upstream.rotate() }]
      : []),
    { name: 'tunnels', everyMs: hubRoundMs(devices), run: async () => hub.round() },
    { name: 'event-keep-alive', everyMs: sessions.event_keep_alive, run: async () => streams.keepAlive() },
  ];
}

/** A round that one process does for all: the others begin theirs by looking whether the place is free. */
function onlyLeading<T>(leadership: Leadership, run: (signal: AbortSignal) => Promise<T>) {
  return async (signal: AbortSignal) => (leadership.lead() ? run(signal) : undefined);
}

interface Mcp {
  broker: RunningBroker;
  front: McpFront;
}

/** MCP: children first, then what leads to them. */
async function openMcp(
  config: Config,
  services: OpenServices,
  { clock, log }: AppDeps,
  starting: AsyncDisposableStack,
): Promise<Mcp> {
  const { upstream, auditStore } = services;
  const surroundings = {
    environment: childEnvironment(),
    home: homeDirectory(),
    configFiles: sourceFiles(config),
  };
  const deps = { ...services, config, clock, log, upstream: upstream.tokens, surroundings };
  const broker = starting.use(await openMcpBroker(deps));
  upstream.setDependents(() => broker.dependents());
  const front = openMcpFront({
    ...services,
    config: config.mcp_server,
    broker,
    clock,
    log,
    audits: auditStore,
    wwwAuthenticate,
  });
  starting.use(front);
  services.whenReaping(() => broker.sweep(), front.reapTask);
  return { broker, front };
}

function mcpLoops({ mcp_server }: Config, { broker, front }: Mcp, memory: MemoryAtRest) {
  const sweepChildren = async () => {
    if (broker.sweep() > 0) memory.awaitRest();
  };
  return [
    { name: 'mcp-children', everyMs: mcp_server.child_reap_interval, run: sweepChildren },
    { name: 'mcp-sessions', everyMs: mcp_server.child_reap_interval, run: () => front.sweep() },
    { name: 'mcp-keep-alive', everyMs: mcp_server.stream_keep_alive, run: async () => front.keepAlive() },
  ];
}

async function tlsOf(
  { tls, data_dir, devices }: Config,
  { origin }: PublicOrigin,
  deps: { clock: Clock; log: Logger },
): Promise<TlsSource | undefined> {
  if (tls === undefined) return undefined;
  if (tls !== 'self-signed') return (await import('./http/tls-files.ts')).tlsFromFiles({ ...tls, ...deps });
  const { selfSignedTls } = await import('./http/tls-self-signed.ts');
  const devicesBase = devices.base === undefined ? undefined : nameOf(devices.base);
  return selfSignedTls({
    dataDir: data_dir,
    hostname: new URL(origin).hostname,
    devicesBase,
    relayHost: new URL(devices.relay_url ?? origin).hostname,
    ...deps,
  });
}

/** Configuration has checked it. */
function addressOf(text: string) {
  const address = parseListen(text);
  if (address === undefined) throw new CommandError(`"${text}" is not host:port`, 2);
  return address;
}
