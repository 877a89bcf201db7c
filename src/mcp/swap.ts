import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { UpstreamToken } from '../upstream/tokens.ts';
import type { BrokerMetrics } from './broker-metrics.ts';
import type { ChildPlaces } from './child-places.ts';
import type { Children } from './children.ts';
import { can } from './connection.ts';
import type { Child, Tenant } from './tenant.ts';

export interface SwapDeps {
  /** Starts a child with a token. */
  start: (tenant: Tenant, token: UpstreamToken | undefined) => Promise<Child>;
  children: Children;
  places: ChildPlaces;
  clock: Clock;
  log: Logger;
  metrics: BrokerMetrics;
  /** How long calls in flight may go on with the child that is replaced, when its token does not live longer. */
  drainMs: number;
  /** Whether the grant still lives. */
  isLive: (tenant: Tenant) => boolean;
  /** No child with a good token can be had any more: the grant ends, so that the next call is a clean 401. */
  giveUp: (tenant: Tenant) => void;
}

export type Swapper = ReturnType<typeof swapper>;

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/**
 * Replaces the child of a tenant by one with the newest token, without its callers noticing. The old one serves until the new
 * one is ready; from one instant on new calls go to the new one, and the old one finishes what it has.
 */
export function swapper(deps: SwapDeps) {
  const { start, children, places, clock, log, metrics, drainMs, isLive, giveUp } = deps;

  const isBehind = ({ wanted, stale, current }: Tenant): boolean =>
    current !== undefined &&
    (stale || (wanted !== undefined && (current.token?.version ?? -1) < wanted.version));

  /** One after the other, until the child is up to date: a newer token may come while the new child starts. */
  const run = async (tenant: Tenant) => {
    while (!tenant.ended && isBehind(tenant)) {
      const old = tenant.current;
      const token = tenant.wanted ?? old?.token;
      const wasStale = tenant.stale;
      tenant.stale = false;
      let fresh: Child;
      try {
        fresh = await start(tenant, token);
      } catch (error) {
        tenant.stale ||= wasStale;
        if (!tenant.ended) failed(tenant, error);
        return;
      }
      try {
        replace(tenant, old, fresh);
      } catch (error) {
        // Whether the grant lives could not be read: then the new one does not serve.
        children.discard(tenant, fresh, 'swapped');
        return failed(tenant, error);
      }
    }
  };

  /** Runs in one turn: nothing can end between the look and the change. */
  const replace = (tenant: Tenant, old: Child | undefined, fresh: Child) => {
    const { name } = tenant.backend;
    const isNeeded = tenant.current === old || (tenant.current === undefined && tenant.waiting > 0);
    if (tenant.ended || !isNeeded || !isLive(tenant)) {
      metrics.swapped(name, 'called_off');
      return children.discard(tenant, fresh, tenant.ended ? 'session_ended' : 'swapped');
    }
    // The new one takes the place of the old one in the limits; one that ended by itself has given its place back.
    if (tenant.current === undefined) places.take(tenant);
    if (old !== undefined) fresh.lastUsedTick = Math.max(old.lastUsedTick, 0);
    tenant.swapFailures = 0;
    children.install(tenant, fresh);
    metrics.swapped(name, 'success');
    if (old !== undefined) children.retire(tenant, old, drainTimeOf(old));
    if (can(fresh.connection.about, 'tools'))
      tenant.views.deliver('notifications/tools/list_changed', undefined);
  };

  const drainTimeOf = ({ token }: Child) => Math.max(drainMs, (token?.expiresAt ?? 0) - clock.now());

  const failed = (tenant: Tenant, error: unknown) => {
    const { name } = tenant.backend;
    metrics.swapped(name, 'failure');
    // A secret that its person took back is not used on: the next call says what is missing.
    if (isWithdrawn(error) && tenant.current !== undefined) {
      children.evict(tenant, tenant.current, 'withdrawn');
      return;
    }
    log.warn('an MCP server with a new token did not start; the old one serves on', {
      backend: name,
      session: tenant.sessionId,
      error,
    });
    const { current } = tenant;
    if (current === undefined) return;
    const leftMs = (current.token?.expiresAt ?? Infinity) - clock.now();
    if (leftMs <= 0) return giveUp(tenant);
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** tenant.swapFailures++, LONGEST_RETRY_MS, leftMs);
    tenant.retry = clock.setTimer(waitMs, () => void swap(tenant));
  };

  /** Resolves when that is done, or has failed for now; joins the one under way. Never rejects. */
  const swap = (tenant: Tenant): Promise<void> => {
    tenant.retry?.[Symbol.dispose]();
    tenant.retry = undefined;
    if (!isBehind(tenant)) return tenant.swapping ?? Promise.resolve();
    tenant.swapping ??= run(tenant).finally(() => {
      tenant.swapping = undefined;
    });
    return tenant.swapping;
  };
  return { swap, isBehind };
}

const isWithdrawn = (error: unknown): boolean => error instanceof AppError && error.kind === 'forbidden';
