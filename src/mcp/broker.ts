import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { isLive } from '../sessions/model.ts';
import type { UpstreamDependent, UpstreamTokens } from '../upstream/tokens.ts';
import type { AboutCache } from './about-cache.ts';
import { attachView } from './attach-view.ts';
import { brokerMetrics } from './broker-metrics.ts';
import { type ChildLimits, childPlaces } from './child-places.ts';
import { childTable } from './children.ts';
import type { Broker, Holder } from './exchange.ts';
import type { Launch } from './launch.ts';
import { trackLaunches } from './launches.ts';
import { leasing } from './leasing.ts';
import type { Backend } from './model.ts';
import type { RestartWaits } from './restarts.ts';
import { childStarter } from './start-child.ts';
import { swapper } from './swap.ts';
import type { Tenant } from './tenant.ts';
import { tenantTable } from './tenants.ts';

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
  ledger: Pick<Ledger, 'attach' | 'findDurable' | 'end'>;
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

/** Children by who they are for: started when first needed, swapped for a new token, ended when nobody needs them. */
export function openBroker(deps: BrokerDeps): RunningBroker {
  const { upstream, ledger, abouts, clock, log, options } = deps;
  const { restarts, idleMs } = options;
  const tenants = tenantTable({ ledger });
  const names = deps.backends.map(({ name }) => name);
  const metrics = brokerMetrics(deps.metrics, names, (name) => tenants.countOf(name));
  const places = childPlaces(options.limits);
  const children = childTable({ places, clock, log, metrics, restarts });
  const launches = trackLaunches(deps.launch);
  const start = childStarter({ ...options, launch: launches.launch, abouts, clock, log, metrics });
  const shared = { tenants, children, places, upstream, clock, log, metrics, restarts };
  let closed = false;

  const grantLives = ({ sessionId }: Tenant) => {
    const session = ledger.findDurable(sessionId);
    return session !== undefined && isLive(session, clock.now());
  };
  const swaps = swapper({
    ...shared,
    start: (tenant, token) => start(tenant, token, options.swapTimeoutMs),
    drainMs: options.drainMs,
    isLive: grantLives,
    giveUp: ({ sessionId }) => {
      ledger.end(sessionId, { reason: 'upstream_ended' }).catch((error: unknown) => {
        log.error('a grant without a good upstream token could not be ended', { session: sessionId, error });
      });
    },
  });
  const leases = leasing({
    ...shared,
    start: (tenant, token) => start(tenant, token, tenant.backend.limits.startTimeoutMs),
    swapper: swaps,
    isLive: grantLives,
    isClosed: () => closed,
    idleMs,
  });

  const lease = (holder: Holder) => {
    const tenant = tenants.of(holder, children);
    const found = leases.leaseNow(tenant);
    if (found !== undefined) return found;
    tenant.user = holder.user;
    return leases.leaseSlowly(tenant);
  };
  const refreshed = upstream.onRefreshed(({ userId, provider, token }) => {
    for (const tenant of tenants.all()) {
      if (tenant.userId !== userId || tenant.backend.provider !== provider) continue;
      tenant.wanted = token;
      void swaps.swap(tenant);
    }
  });
  const secretChanged = upstream.onSecretChanged(({ userId, name }) => {
    for (const tenant of tenants.all()) {
      if (tenant.userId !== userId || !usesSecret(tenant.backend, name)) continue;
      tenant.stale = true;
      void swaps.swap(tenant);
    }
  });

  return {
    lease,
    attach: (holder, view, initial) =>
      attachView({ tenant: tenants.of(holder, children), view, initial, lease: () => lease(holder) }),
    cachedAbout: ({ user, backend }) => abouts.find(user.id, backend),
    forget(holder) {
      const tenant = holder.backend.sharing === 'session' ? tenants.find(holder) : undefined;
      if (tenant !== undefined) tenants.end(tenant, 'forgotten', children);
    },
    running: tenants.running,
    sweep: () => tenants.sweep(children, clock.monotonicNow(), idleMs),
    get placesTaken() {
      return places.taken;
    },
    dependents: () => tenants.dependents(),
    async [Symbol.asyncDispose]() {
      closed = true;
      refreshed[Symbol.dispose]();
      secretChanged[Symbol.dispose]();
      for (const tenant of tenants.all()) tenants.end(tenant, 'shutdown', children);
      await launches.endAll();
    },
  };
}

/** Whether a backend's environment or headers hold a secret that its user pasted. */
function usesSecret({ transport }: Backend, name: string): boolean {
  const texts = Object.values(transport.kind === 'stdio' ? transport.env : transport.headers);
  return texts.some((text) => text.includes(`\${secret.${name}}`));
}
