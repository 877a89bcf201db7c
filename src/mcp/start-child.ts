import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { UpstreamToken } from '../upstream/tokens.ts';
import type { AboutCache } from './about-cache.ts';
import type { BrokerMetrics } from './broker-metrics.ts';
import type { ConnectionHooks, ManagedConnection } from './connection.ts';
import { MODERN_VERSIONS } from './constants.ts';
import type { Era, ServerAbout } from './exchange.ts';
import type { Launch } from './launch.ts';
import { openConnection } from './open-connection.ts';
import type { Child, Tenant } from './tenant.ts';

export interface ChildStarterDeps {
  launch: Launch;
  abouts: AboutCache;
  clock: Clock;
  log: Logger;
  metrics: BrokerMetrics;
  /** How long `server/discover` is waited for before a server is asked to initialize. */
  probeTimeoutMs: number;
}

interface StartChildDeps extends ChildStarterDeps {
  timeoutMs: number;
  /** What this backend spoke at its last start. */
  knownEra: Era | undefined;
  nextGeneration: () => number;
}

export type StartChild = (
  tenant: Tenant,
  token: UpstreamToken | undefined,
  timeoutMs: number,
) => Promise<Child>;

/** A server that did not start in time. */
class StartTimeout extends Error {
  override readonly name = 'StartTimeout';
}

/** Starts children, and remembers what their backends spoke and said of themselves. */
export function childStarter(deps: ChildStarterDeps): StartChild {
  const eras = new Map<string, Era>();
  let generation = 0;
  return async (tenant, token, timeoutMs) => {
    const { backend, userId } = tenant;
    const child = await startChild(tenant, token, {
      ...deps,
      timeoutMs,
      knownEra: eras.get(backend.name) ?? eraOf(deps.abouts.find(userId, backend)),
      nextGeneration: () => ++generation,
    });
    eras.set(backend.name, child.connection.era);
    deps.abouts.keep(userId, backend, child.connection.about);
    return child;
  };
}

function eraOf(about: ServerAbout | undefined): Era | undefined {
  if (about === undefined) return undefined;
  return MODERN_VERSIONS.some((version) => version === about.protocolVersion) ? 'modern' : 'legacy';
}

/**
 * Starts a backend for a tenant and takes it to where it can be called: launched, era found out, what the views want told
 * to it. When anything of that fails, nothing of it is left behind.
 * @throws AppError of the launch; NotAServer, StartTimeout; the abort reason once the tenant is over.
 */
async function startChild(
  tenant: Tenant,
  token: UpstreamToken | undefined,
  deps: StartChildDeps,
): Promise<Child> {
  const { clock, metrics, timeoutMs } = deps;
  const { name } = tenant.backend;
  const launchedTick = clock.monotonicNow();
  const late = new AbortController();
  using _timer = clock.setTimer(timeoutMs, () =>
    late.abort(new StartTimeout(`the server did not start within ${timeoutMs} ms`)),
  );
  const signal = AbortSignal.any([tenant.over.signal, late.signal]);
  try {
    const connection = await connect(tenant, token, deps, signal);
    metrics.spawned(name, 'success');
    metrics.started(name, clock.monotonicNow() - launchedTick);
    return newChild(connection, token, clock);
  } catch (error) {
    metrics.spawned(name, 'failure');
    throw error;
  }
}

function newChild(connection: ManagedConnection, token: UpstreamToken | undefined, clock: Clock): Child {
  const startedTick = clock.monotonicNow();
  return {
    connection,
    token,
    startedAt: clock.now(),
    startedTick,
    lastUsedTick: startedTick,
    leases: 0,
    whenFree: undefined,
  };
}

/** A server may end itself over a question that it does not know: then it is started again and not asked that. */
async function connect(
  tenant: Tenant,
  token: UpstreamToken | undefined,
  deps: StartChildDeps,
  signal: AbortSignal,
): Promise<ManagedConnection> {
  const { knownEra } = deps;
  const first = await launchAndOpen(tenant, token, knownEra, deps, signal);
  if ('connection' in first) return first.connection;
  if (knownEra === 'legacy' || !first.hadExited) throw first.error;
  const second = await launchAndOpen(tenant, token, 'legacy', deps, signal);
  if ('connection' in second) return second.connection;
  throw second.error;
}

type Opened = { connection: ManagedConnection } | { error: unknown; hadExited: boolean };

async function launchAndOpen(
  tenant: Tenant,
  token: UpstreamToken | undefined,
  knownEra: Era | undefined,
  deps: StartChildDeps,
  signal: AbortSignal,
): Promise<Opened> {
  const { launch, clock, log, probeTimeoutMs, nextGeneration } = deps;
  const { backend, user } = tenant;
  signal.throwIfAborted();
  const wire = await launch({ backend, user, accessToken: token?.accessToken });
  let hadExited = false;
  const watch = async () => {
    await wire.exited;
    hadExited = true;
  };
  void watch();
  try {
    signal.throwIfAborted();
    const connection = await openConnection({
      wire,
      knownEra,
      generation: nextGeneration(),
      hooks: hooksOf(tenant, clock),
      clock,
      log,
      probeTimeoutMs,
      signal,
    });
    await settled(replay(tenant, connection), signal);
    return { connection };
  } catch (error) {
    const exited = hadExited;
    void wire.end();
    signal.throwIfAborted();
    return { error, hadExited: exited };
  }
}

/** What the views of a tenant had asked of earlier children; what one refuses now, it refuses. */
async function replay({ views }: Tenant, connection: ManagedConnection): Promise<void> {
  await Promise.allSettled([
    connection.setLogLevel(views.logLevel()),
    ...[...views.subscriptions()].map((uri) => connection.subscribe(uri)),
  ]);
}

/** A stream that carries messages is a use of the child, one that is merely open is not. */
function hooksOf(tenant: Tenant, clock: Clock): ConnectionHooks {
  return {
    unsolicited: (method, params) => {
      const carried = tenant.views.deliver(method, params);
      if (carried && tenant.current !== undefined) tenant.current.lastUsedTick = clock.monotonicNow();
      return carried;
    },
    askAnybody: async (method, params) => tenant.views.ask(method, params),
  };
}

/** The promise, unless `signal` aborts first. */
function settled(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
