import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { isLive } from '../sessions/model.ts';
import type { UpstreamDependent, UpstreamToken, UpstreamTokens } from '../upstream/tokens.ts';
import type { UserId } from '../users/model.ts';
import type { AboutCache } from './about-cache.ts';
import { attachView } from './attach-view.ts';
import { brokerMetrics } from './broker-metrics.ts';
import {
  type ChildLimits,
  childPlaces,
  type PlaceTaker,
  tooManyCalls,
  tooManyChildren,
} from './child-places.ts';
import { childTable } from './children.ts';
import { MODERN_VERSIONS } from './constants.ts';
import type { Broker, Era, Holder, Lease, ServerAbout } from './exchange.ts';
import { INTERNAL_ERROR, JsonRpcError } from './json-rpc.ts';
import type { Launch } from './launch.ts';
import type { Backend } from './model.ts';
import { afterFailure, type RestartWaits, requireRestartable } from './restarts.ts';
import { startChild } from './start-child.ts';
import { swapper } from './swap.ts';
import { type Child, Tenant, tenantKey } from './tenant.ts';
import type { Wire } from './wire.ts';

export interface BrokerOptions {
  limits: ChildLimits;
  /** A child that nobody has used for so long is ended. */
  idleMs: number;
  /** How long a child with a new token may take to start. */
  swapTimeoutMs: number;
  /** How long calls in flight may go on with a child that was replaced. */
  drainMs: number;
  restarts: RestartWaits;
  /** How long a server may think about `server/discover`. */
  probeTimeoutMs: number;
}

export interface BrokerDeps {
  backends: readonly Backend[];
  launch: Launch;
  upstream: Pick<UpstreamTokens, 'current' | 'onRefreshed' | 'onSecretChanged'>;
  ledger: Pick<Ledger, 'attach' | 'find' | 'end'>;
  abouts: AboutCache;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  options: BrokerOptions;
}

/** What the rest of the appliance sees of it, beside those who serve clients. */
export interface RunningBroker extends Broker, AsyncDisposable {
  /** One round of the reaper: ends children that nobody uses. Returns how many. */
  sweep(): number;
  /** Whose tokens something that runs was given. */
  dependents(): Iterable<UpstreamDependent>;
  /** Places in the limits that are taken. */
  readonly placesTaken: number;
}

/** Whether a backend's environment or headers hold a secret that its user pasted. */
const usesSecret = ({ transport }: Backend, name: string) =>
  Object.values(transport.kind === 'stdio' ? transport.env : transport.headers).some((text) =>
    text.includes(`\${secret.${name}}`),
  );

/** One process table for all: children by who they are for, started when first needed, ended when nobody needs them. */
export function openBroker(deps: BrokerDeps): RunningBroker {
  const { backends, launch, upstream, ledger, abouts, clock, log, options } = deps;
  const tenants = new Map<string, Tenant>();
  const launching = new Set<Promise<Wire>>();
  const wires = new Set<Wire>();
  const eras = new Map<string, Era>();
  let generation = 0;
  let closed = false;

  const countOf = (backend: string) => {
    let count = 0;
    for (const { current, retiring, backend: own } of tenants.values()) {
      if (own.name === backend) count += retiring.size + (current === undefined ? 0 : 1);
    }
    return count;
  };
  const metrics = brokerMetrics(
    deps.metrics,
    backends.map(({ name }) => name),
    countOf,
  );
  const places = childPlaces(options.limits);
  const children = childTable({ places, clock, log, metrics, restarts: options.restarts });

  const grantLives = ({ sessionId }: Tenant) => {
    const session = ledger.find(sessionId);
    return session !== undefined && isLive(session, clock.now());
  };
  /** Knows of every wire from the moment on at which there is something to end. */
  const launchTracked: Launch = (request) => {
    const launched = launch(request).then((wire) => {
      wires.add(wire);
      void wire.exited.then(() => wires.delete(wire));
      return wire;
    });
    launching.add(launched);
    void launched.catch(() => undefined).finally(() => launching.delete(launched));
    return launched;
  };
  const start = async (
    tenant: Tenant,
    token: UpstreamToken | undefined,
    timeoutMs: number,
  ): Promise<Child> => {
    const child = await startChild(tenant, token, {
      timeoutMs,
      launch: launchTracked,
      clock,
      log,
      metrics,
      eraOf: ({ backend, userId }) => eras.get(backend.name) ?? eraOf(abouts.find(userId, backend)),
      probeTimeoutMs: options.probeTimeoutMs,
      nextGeneration: () => ++generation,
    });
    eras.set(tenant.backend.name, child.connection.era);
    abouts.keep(tenant.userId, tenant.backend, child.connection.about);
    return child;
  };
  const { swap, isBehind } = swapper({
    start: (tenant, token) => start(tenant, token, options.swapTimeoutMs),
    children,
    places,
    clock,
    log,
    metrics,
    drainMs: options.drainMs,
    isLive: grantLives,
    giveUp: ({ sessionId }) => {
      ledger.end(sessionId, { reason: 'upstream_ended' }).catch((error: unknown) => {
        log.error('a grant without a good upstream token could not be ended', { session: sessionId, error });
      });
    },
  });

  const endTenant = (tenant: Tenant, reason: 'session_ended' | 'forgotten' | 'shutdown') => {
    if (tenants.get(tenant.key) === tenant) tenants.delete(tenant.key);
    tenant.over.abort(OVER[reason]());
    tenant.attachedToSession?.[Symbol.dispose]();
    tenant.retry?.[Symbol.dispose]();
    children.endAll(tenant, reason);
  };

  const tenantOf = (holder: Holder): Tenant => {
    const key = tenantKey(holder);
    const known = tenants.get(key);
    if (known !== undefined) return known;
    const tenant = new Tenant(key, holder);
    tenants.set(key, tenant);
    tenant.attachedToSession = ledger.attach(holder.session.id, () => endTenant(tenant, 'session_ended'));
    return tenant;
  };

  /** @throws AppError `forbidden` (`mcp_not_linked`), and what the provider's outage throws. */
  const tokenFor = async ({ backend, userId, wanted }: Tenant): Promise<UpstreamToken | undefined> => {
    if (backend.provider === undefined) return undefined;
    const token = await upstream.current(userId, backend.provider);
    if (token === undefined) throw linkNeeded();
    return wanted !== undefined && wanted.version > token.version ? wanted : token;
  };

  /** @throws AppError `too_many_requests` when nothing can make room. */
  const takePlace = (tenant: Tenant) => {
    for (let fits = places.full(tenant); fits !== undefined; fits = places.full(tenant)) {
      const spare = longestUnused(tenants.values(), fits);
      if (spare === undefined) throw tooManyChildren(Math.ceil(options.idleMs / 1_000));
      children.evict(spare.tenant, spare.child, 'limit');
    }
    places.take(tenant);
  };

  /** What cannot be read does not serve. */
  const mayServe = (tenant: Tenant): boolean => {
    try {
      return !tenant.ended && grantLives(tenant);
    } catch (error) {
      log.error('whether a grant lives could not be read', { session: tenant.sessionId, error });
      return false;
    }
  };

  /** Starts the tenant's first child, or the next one after it was reaped or crashed. */
  const startFirst = async (tenant: Tenant): Promise<void> => {
    requireRestartable(tenant.restarts, clock.monotonicNow());
    if (!grantLives(tenant)) throw sessionEnded();
    takePlace(tenant);
    let child: Child;
    try {
      child = await start(tenant, await tokenFor(tenant), tenant.backend.limits.startTimeoutMs);
    } catch (error) {
      places.give(tenant);
      throw startFailure(tenant, error);
    }
    if (!mayServe(tenant)) {
      places.give(tenant);
      children.discard(tenant, child, 'session_ended');
      throw tenant.ended ? tenant.over.signal.reason : sessionEnded();
    }
    children.install(tenant, child);
    // A token that came while it started.
    if (isBehind(tenant)) void swap(tenant);
  };

  /** What the caller hears, and whether it counts: an outage of a provider is not the server's failure. */
  const startFailure = (tenant: Tenant, error: unknown): unknown => {
    if (tenant.ended) return tenant.over.signal.reason;
    if (error instanceof AppError && error.code !== 'mcp_start_failed') return error;
    tenant.restarts = afterFailure(tenant.restarts, clock.monotonicNow(), options.restarts);
    log.warn('an MCP server did not start', {
      backend: tenant.backend.name,
      session: tenant.sessionId,
      error,
    });
    return error instanceof AppError
      ? error
      : new JsonRpcError(INTERNAL_ERROR, 'The MCP server did not start.');
  };

  /** @throws AppError `too_many_requests` (`mcp_too_many_calls`). */
  const hold = ({ backend }: Tenant, child: Child): Lease => {
    if (child.leases >= backend.limits.queue) throw tooManyCalls();
    return children.hold(child);
  };

  const isUsable = ({ token }: Child) => token?.expiresAt === undefined || clock.now() < token.expiresAt;

  const bringUp = async (tenant: Tenant): Promise<void> => {
    if (tenant.swapping !== undefined) await tenant.swapping;
    else if (tenant.current === undefined) {
      tenant.starting ??= startFirst(tenant).finally(() => {
        tenant.starting = undefined;
      });
      await tenant.starting;
    } else {
      tenant.wanted = await tokenFor(tenant);
      await swap(tenant);
    }
  };

  const leaseSlowly = async (tenant: Tenant): Promise<Lease> => {
    tenant.waiting++;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        if (closed) throw shuttingDown();
        tenant.over.signal.throwIfAborted();
        const { current } = tenant;
        if (current !== undefined && isUsable(current)) return hold(tenant, current);
        await bringUp(tenant);
      }
    } finally {
      tenant.waiting--;
    }
    throw new JsonRpcError(INTERNAL_ERROR, 'The MCP server went away.');
  };

  const lease = (holder: Holder): Promise<Lease> | Lease => {
    const tenant = tenantOf(holder);
    const { current } = tenant;
    if (current !== undefined && isUsable(current)) return hold(tenant, current);
    tenant.user = holder.user;
    return leaseSlowly(tenant);
  };

  const refreshed = upstream.onRefreshed(({ userId, provider, token }) => {
    for (const tenant of tenants.values()) {
      if (tenant.userId !== userId || tenant.backend.provider !== provider) continue;
      tenant.wanted = token;
      if (tenant.current !== undefined) void swap(tenant);
    }
  });
  const secretChanged = upstream.onSecretChanged(({ userId, name }) => {
    for (const tenant of tenants.values()) {
      if (tenant.userId !== userId || !usesSecret(tenant.backend, name)) continue;
      if (tenant.current === undefined) continue;
      tenant.stale = true;
      void swap(tenant);
    }
  });

  return {
    lease,
    attach: (holder, view, initial) =>
      attachView({ tenant: tenantOf(holder), view, initial, lease: () => lease(holder) }),
    cachedAbout: ({ user, backend }) => abouts.find(user.id, backend),
    forget(holder) {
      const tenant = tenants.get(tenantKey(holder));
      if (tenant === undefined || holder.backend.sharing === 'grant') return;
      endTenant(tenant, 'forgotten');
    },
    running: (userId) => runningOf(tenants.values(), userId),
    sweep() {
      const tick = clock.monotonicNow();
      let ended = 0;
      for (const tenant of tenants.values()) {
        const { current, swapping, waiting } = tenant;
        const isIdle =
          current !== undefined &&
          current.leases === 0 &&
          waiting === 0 &&
          swapping === undefined &&
          tick - current.lastUsedTick >= options.idleMs;
        if (isIdle && children.evict(tenant, current, 'idle')) ended++;
        if (tenant.isIdle(tick)) {
          tenants.delete(tenant.key);
          tenant.attachedToSession?.[Symbol.dispose]();
          tenant.retry?.[Symbol.dispose]();
        }
      }
      return ended;
    },
    get placesTaken() {
      return places.taken;
    },
    *dependents() {
      for (const { userId, backend, current, starting } of tenants.values()) {
        const { provider } = backend;
        if (provider !== undefined && (current ?? starting) !== undefined) yield { userId, provider };
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      refreshed[Symbol.dispose]();
      secretChanged[Symbol.dispose]();
      for (const tenant of tenants.values()) endTenant(tenant, 'shutdown');
      // What is being launched has to be there before it can be ended.
      await Promise.allSettled(launching);
      await Promise.allSettled([...wires].map((wire) => wire.end()));
    },
  };
}

/** A child may end between its start and the call that waited for it; more than that is not bad luck. */
const MAX_ATTEMPTS = 3;

function eraOf(about: ServerAbout | undefined): Era | undefined {
  if (about === undefined) return undefined;
  return MODERN_VERSIONS.some((version) => version === about.protocolVersion) ? 'modern' : 'legacy';
}

/** A child without a lease that may go to make room. */
function longestUnused(tenants: Iterable<Tenant>, fits: (tenant: PlaceTaker) => boolean) {
  let found: { tenant: Tenant; child: Child } | undefined;
  for (const tenant of tenants) {
    const { current: child, waiting, swapping } = tenant;
    if (child === undefined || child.leases > 0 || waiting > 0 || swapping !== undefined) continue;
    if (!fits(tenant)) continue;
    if (found === undefined || child.lastUsedTick < found.child.lastUsedTick) found = { tenant, child };
  }
  return found;
}

function runningOf(tenants: Iterable<Tenant>, userId: UserId) {
  return [...tenants]
    .filter((tenant) => tenant.userId === userId)
    .flatMap(({ backend, sessionId, current, retiring }) =>
      [...retiring, ...(current === undefined ? [] : [current])].map(({ connection, startedAt }) => ({
        backend: backend.name,
        sessionId,
        pid: connection.process?.pid,
        memoryBytes: connection.process?.memoryBytes(),
        startedAt,
      })),
    );
}

/** What those hear who wait for a child when there will be none. */
const OVER = {
  session_ended: sessionEnded,
  forgotten: () => new JsonRpcError(INTERNAL_ERROR, 'The protocol session has ended.'),
  shutdown: shuttingDown,
};

function shuttingDown(): AppError {
  return new AppError('unavailable', 'shutting_down', 'The appliance is shutting down.', {
    retryAfterSeconds: 5,
  });
}

function sessionEnded(): AppError {
  return new AppError('unauthorized', 'session_ended', 'The session has ended.');
}

function linkNeeded(): AppError {
  return new AppError(
    'forbidden',
    'mcp_not_linked',
    'The account that this MCP server works with is not linked.',
  );
}
