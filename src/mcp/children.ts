import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { BrokerMetrics, EndReason } from './broker-metrics.ts';
import type { ChildPlaces } from './child-places.ts';
import type { ExitCause, Lease } from './exchange.ts';
import { afterFailure, type RestartWaits } from './restarts.ts';
import type { Child, Tenant } from './tenant.ts';

export interface ChildrenDeps {
  places: ChildPlaces;
  clock: Clock;
  log: Logger;
  metrics: BrokerMetrics;
  restarts: RestartWaits;
}

export type Children = ReturnType<typeof childTable>;

/**
 * Puts children into the table and takes them out. Taking out comes first, ending after: whoever takes a child out gives its
 * place in the limits back, and nobody waits for it to end.
 */
export function childTable({ places, clock, log, metrics, restarts }: ChildrenDeps) {
  const endLater = (tenant: Tenant, child: Child, reason: EndReason) => {
    metrics.exited(tenant.backend.name, reason);
    child.connection.end().catch((error: unknown) => {
      log.error('an MCP server could not be ended', { backend: tenant.backend.name, error });
    });
  };
  const remove = (tenant: Tenant, child: Child): boolean => {
    if (tenant.current !== child) return false;
    tenant.current = undefined;
    places.give(tenant);
    return true;
  };
  const exited = (tenant: Tenant, child: Child, cause: ExitCause) => {
    tenant.retiring.delete(child);
    // Only the one that still serves is missed: others were ended, or replaced, by somebody who has counted them.
    if (!remove(tenant, child)) return;
    const livedMs = clock.monotonicNow() - child.startedTick;
    tenant.restarts = afterFailure(tenant.restarts, clock.monotonicNow(), restarts, livedMs);
    metrics.exited(tenant.backend.name, cause.kind);
    log.warn('an MCP server ended by itself', {
      backend: tenant.backend.name,
      session: tenant.sessionId,
      cause: cause.kind,
      detail: cause.detail,
    });
  };

  return {
    /** Makes it the one that serves. Its place in the limits has been taken already. */
    install(tenant: Tenant, child: Child): void {
      tenant.current = child;
      void child.connection.exited.then((cause) => exited(tenant, child, cause));
    },

    /** Takes it out and ends it. `false`: somebody else has. */
    evict(tenant: Tenant, child: Child, reason: EndReason): boolean {
      if (!remove(tenant, child)) return false;
      endLater(tenant, child, reason);
      return true;
    },

    /** Ends one that never served. */
    discard: endLater,

    /** One that was replaced finishes its calls, at most until `untilMs` from now. */
    retire(tenant: Tenant, child: Child, withinMs: number): void {
      if (child.leases === 0) return endLater(tenant, child, 'swapped');
      tenant.retiring.add(child);
      const end = () => {
        timer[Symbol.dispose]();
        child.whenFree = undefined;
        if (tenant.retiring.delete(child)) endLater(tenant, child, 'swapped');
      };
      const timer = clock.setTimer(withinMs, end);
      child.whenFree = end;
    },

    /** Everything of a tenant, at once. */
    endAll(tenant: Tenant, reason: EndReason): void {
      const { current, retiring } = tenant;
      if (current !== undefined && remove(tenant, current)) endLater(tenant, current, reason);
      for (const child of retiring) {
        retiring.delete(child);
        endLater(tenant, child, reason);
      }
    },

    /** A hold on a child: it is not reaped while there is one. */
    hold(child: Child): Lease {
      child.leases++;
      let released = false;
      return {
        connection: child.connection,
        release() {
          if (released) return;
          released = true;
          child.leases--;
          child.lastUsedTick = clock.monotonicNow();
          if (child.leases === 0) child.whenFree?.();
        },
      };
    },
  };
}
