import type { Ledger } from '../sessions/ledger.ts';
import type { UpstreamDependent } from '../upstream/tokens.ts';
import type { UserId } from '../users/model.ts';
import { type OverReason, overError } from './broker-errors.ts';
import type { PlaceTaker } from './child-places.ts';
import type { Children } from './children.ts';
import type { Holder, RunningChild } from './exchange.ts';
import { type Child, Tenant, tenantKey } from './tenant.ts';

export type Tenants = ReturnType<typeof tenantTable>;

/** Everybody for whom children run, or may run again. A tenant ends with its grant, or is forgotten when nothing is left of it. */
export function tenantTable({ ledger }: { ledger: Pick<Ledger, 'attach'> }) {
  const byKey = new Map<string, Tenant>();

  const remove = (tenant: Tenant) => {
    if (byKey.get(tenant.key) === tenant) byKey.delete(tenant.key);
    tenant.attachedToSession?.[Symbol.dispose]();
    tenant.retry?.[Symbol.dispose]();
  };
  const end = (tenant: Tenant, reason: OverReason, children: Children) => {
    remove(tenant);
    tenant.over.abort(overError(reason));
    children.endAll(tenant, reason);
  };

  return {
    all: () => byKey.values(),
    find: (holder: Holder): Tenant | undefined => byKey.get(tenantKey(holder)),
    /** The tenant of a holder; a new one ends its children with the holder's session. */
    of(holder: Holder, children: Children): Tenant {
      const key = tenantKey(holder);
      const known = byKey.get(key);
      if (known !== undefined) return known;
      const tenant = new Tenant(key, holder);
      byKey.set(key, tenant);
      tenant.attachedToSession = ledger.attach(holder.session.id, () =>
        end(tenant, 'session_ended', children),
      );
      return tenant;
    },
    end,
    /** Ends children that nobody has used for `idleMs`, and forgets who has nothing left. Returns how many ended. */
    sweep(children: Children, tick: number, idleMs: number): number {
      let ended = 0;
      for (const tenant of byKey.values()) {
        const child = spareChild(tenant);
        const isIdle = child !== undefined && tick - child.lastUsedTick >= idleMs;
        if (isIdle && children.evict(tenant, child, 'idle')) ended++;
        if (tenant.isIdle(tick)) remove(tenant);
      }
      return ended;
    },
    /** The child unused for longest among those that may go, to make room. */
    longestUnused(fits: (tenant: PlaceTaker) => boolean): { tenant: Tenant; child: Child } | undefined {
      let found: { tenant: Tenant; child: Child } | undefined;
      for (const tenant of byKey.values()) {
        const child = spareChild(tenant);
        if (child === undefined || !fits(tenant)) continue;
        if (found === undefined || child.lastUsedTick < found.child.lastUsedTick) found = { tenant, child };
      }
      return found;
    },
    countOf(backend: string): number {
      let count = 0;
      for (const tenant of byKey.values()) {
        if (tenant.backend.name === backend) count += childrenOf(tenant).length;
      }
      return count;
    },
    running: (userId: UserId): RunningChild[] =>
      [...byKey.values()].filter((tenant) => tenant.userId === userId).flatMap(describe),
    *dependents(): Generator<UpstreamDependent> {
      for (const { userId, backend, current, starting } of byKey.values()) {
        const { provider } = backend;
        if (provider !== undefined && (current ?? starting) !== undefined) yield { userId, provider };
      }
    },
  };
}

/** The child, when nobody holds it, waits for it, or is about to replace it. */
function spareChild({ current, waiting, swapping }: Tenant): Child | undefined {
  const isFree = current?.leases === 0 && waiting === 0 && swapping === undefined;
  return isFree ? current : undefined;
}

function childrenOf({ current, retiring }: Tenant): Child[] {
  return current === undefined ? [...retiring] : [...retiring, current];
}

function describe(tenant: Tenant): RunningChild[] {
  return childrenOf(tenant).map(({ connection, startedAt }) => ({
    backend: tenant.backend.name,
    sessionId: tenant.sessionId,
    pid: connection.process?.pid,
    memoryBytes: connection.process?.memoryBytes(),
    startedAt,
  }));
}
