import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { UpstreamToken, UpstreamTokens } from '../upstream/tokens.ts';
import { notLinked, sessionEnded, shuttingDown, tooManyCalls, tooManyChildren } from './broker-errors.ts';
import type { ChildPlaces } from './child-places.ts';
import type { Children } from './children.ts';
import type { Lease } from './exchange.ts';
import { INTERNAL_ERROR, JsonRpcError } from './json-rpc.ts';
import { afterFailure, type RestartWaits, requireRestartable } from './restarts.ts';
import type { Swapper } from './swap.ts';
import type { Child, Tenant } from './tenant.ts';
import type { Tenants } from './tenants.ts';

export interface LeasingDeps {
  /** Starts a child with a token. */
  start: (tenant: Tenant, token: UpstreamToken | undefined) => Promise<Child>;
  tenants: Tenants;
  children: Children;
  places: ChildPlaces;
  swapper: Swapper;
  upstream: Pick<UpstreamTokens, 'current'>;
  /** Whether the grant still lives. */
  isLive: (tenant: Tenant) => boolean;
  isClosed: () => boolean;
  clock: Clock;
  log: Logger;
  restarts: RestartWaits;
  /** After so long, an unused child makes room. */
  idleMs: number;
}

/** A child may end between its start and the call that waited for it; more than that is not bad luck. */
const MAX_ATTEMPTS = 3;

/** Hands out holds on children, and starts the child where there is none. */
export function leasing(deps: LeasingDeps) {
  const { start, tenants, children, places, swapper, upstream, isLive, isClosed, clock, log } = deps;

  /** @throws AppError `forbidden` (`mcp_not_linked`), and what the provider's outage throws. */
  const tokenFor = async ({ backend, userId, wanted }: Tenant): Promise<UpstreamToken | undefined> => {
    if (backend.provider === undefined) return undefined;
    const token = await upstream.current(userId, backend.provider);
    if (token === undefined) throw notLinked();
    return wanted !== undefined && wanted.version > token.version ? wanted : token;
  };

  /** @throws AppError `too_many_requests` when nothing can make room. */
  const takePlace = (tenant: Tenant) => {
    for (let fits = places.full(tenant); fits !== undefined; fits = places.full(tenant)) {
      const spare = tenants.longestUnused(fits);
      if (spare === undefined) throw tooManyChildren(Math.ceil(deps.idleMs / 1_000));
      children.evict(spare.tenant, spare.child, 'limit');
    }
    places.take(tenant);
  };

  /** What cannot be read does not serve. */
  const mayServe = (tenant: Tenant): boolean => {
    try {
      return !tenant.ended && isLive(tenant);
    } catch (error) {
      log.error('whether a grant lives could not be read', { session: tenant.sessionId, error });
      return false;
    }
  };

  /** What the caller hears, and whether it counts: an outage of a provider is not the server's failure. */
  const startFailure = (tenant: Tenant, error: unknown): unknown => {
    if (tenant.ended) return tenant.over.signal.reason;
    if (error instanceof AppError && error.code !== 'mcp_start_failed') return error;
    tenant.restarts = afterFailure(tenant.restarts, clock.monotonicNow(), deps.restarts);
    const { backend, sessionId } = tenant;
    log.warn('an MCP server did not start', { backend: backend.name, session: sessionId, error });
    return error instanceof AppError
      ? error
      : new JsonRpcError(INTERNAL_ERROR, 'The MCP server did not start.');
  };

  /** Starts the tenant's first child, or the next one after it was reaped or crashed. */
  const startFirst = async (tenant: Tenant): Promise<void> => {
    requireRestartable(tenant.restarts, clock.monotonicNow());
    if (!isLive(tenant)) throw sessionEnded();
    takePlace(tenant);
    tenant.stale = false;
    let child: Child;
    try {
      child = await start(tenant, await tokenFor(tenant));
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
    // A token or a secret that came while it started.
    if (swapper.isBehind(tenant)) void swapper.swap(tenant);
  };

  /** Resolves when there may be a child that serves, or has failed for now. */
  const bringUp = async (tenant: Tenant): Promise<void> => {
    if (tenant.swapping !== undefined) return tenant.swapping;
    if (tenant.current !== undefined) {
      tenant.wanted = await tokenFor(tenant);
      return swapper.swap(tenant);
    }
    tenant.starting ??= startFirst(tenant).finally(() => {
      tenant.starting = undefined;
    });
    return tenant.starting;
  };

  /** Who waits for a child counts like who holds one: each keeps a whole message in memory. */
  const leaseSlowly = async (tenant: Tenant): Promise<Lease> => {
    if (tenant.waiting >= tenant.backend.limits.queue) throw tooManyCalls();
    tenant.waiting++;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        if (isClosed()) throw shuttingDown();
        tenant.over.signal.throwIfAborted();
        const found = leaseNow(tenant);
        if (found !== undefined) return found;
        await bringUp(tenant);
      }
    } finally {
      tenant.waiting--;
    }
    throw new JsonRpcError(INTERNAL_ERROR, 'The MCP server went away.');
  };

  /** @throws AppError `too_many_requests` (`mcp_too_many_calls`). */
  const leaseNow = ({ current, backend }: Tenant): Lease | undefined => {
    if (current === undefined) return undefined;
    const expiresAt = current.token?.expiresAt;
    if (expiresAt !== undefined && clock.now() >= expiresAt) return undefined;
    if (current.leases >= backend.limits.queue) throw tooManyCalls();
    return children.hold(current);
  };

  return { leaseNow, leaseSlowly };
}
