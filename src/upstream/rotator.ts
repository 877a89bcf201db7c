import type { Clock, Timer } from '../lib/clock.ts';
import type { Grants } from './grants.ts';
import { dueAt, isExpired, type UpstreamGrant } from './model.ts';
import type { Refresher } from './refresher.ts';
import type { UpstreamGrantStore } from './store.ts';
import type { UpstreamDependent } from './tokens.ts';

export interface RotatorDeps {
  store: Pick<UpstreamGrantStore, 'find'>;
  grants: Pick<Grants, 'end'>;
  refresher: Refresher;
  clock: Clock;
  leadMs: number;
  everyMs: number;
  /** Whose tokens something that runs was given. */
  dependents: () => Iterable<UpstreamDependent>;
  /** Looks whether another process has refreshed it, and tells of that. */
  catchUp: (grant: UpstreamGrant) => void;
}

/** What one round did. */
export interface RotateReport {
  /** Grants in use that were looked at. */
  readonly looked: number;
  readonly refreshed: number;
  /** Ended: refused for good, or over without a refresh token. */
  readonly ended: number;
  /** Due, but the provider did not give new tokens; they are tried again. */
  readonly failed: number;
}

export interface Rotator extends Disposable {
  /** One round: refreshes what is in use and due, all at once as far as `MAX_AT_ONCE` goes. */
  rotate(): Promise<RotateReport>;
  /** A token in use is due at this time (epoch milliseconds): do not sleep through it. */
  expect(due: number): void;
}

/** Refreshes under way at once in a round; each holds a connection. */
const MAX_AT_ONCE = 16;

/** Refreshes tokens in use before they end. Between rounds it wakes when the next one is due. */
export function rotator({
  store,
  grants,
  refresher,
  clock,
  leadMs,
  everyMs,
  dependents,
  catchUp,
}: RotatorDeps): Rotator {
  let timer: Timer | undefined;
  let wakesAt = Infinity;
  let isClosed = false;

  const dueOf = (grant: UpstreamGrant): number => {
    const due = grant.sealedRefreshToken === undefined ? (grant.expiresAt ?? Infinity) : dueAt(grant, leadMs);
    return Math.max(due, clock.now() + refresher.waitMs(grant.id));
  };

  const inUse = (): UpstreamGrant[] => {
    const found = new Map<string, UpstreamGrant>();
    for (const { userId, provider } of dependents()) {
      const grant = store.find(userId, provider);
      if (grant?.status === 'active') found.set(grant.id, grant);
    }
    return [...found.values()];
  };

  const rotateOne = async (
    grant: UpstreamGrant,
  ): Promise<'refreshed' | 'ended' | 'failed' | 'superseded'> => {
    if (grant.sealedRefreshToken !== undefined) {
      const { kind } = await refresher.refresh(grant);
      return kind === 'unavailable' ? 'failed' : kind;
    }
    if (!isExpired(grant, clock.now())) return 'superseded';
    return (await grants.end(grant, 'expired')) ? 'ended' : 'superseded';
  };

  const wake = () => {
    wakesAt = Infinity;
    timer = undefined;
    // What fails is logged and counted where it is found; the loop's next round tries again.
    rotate().catch(() => expect(clock.now() + everyMs));
  };

  const expect = (due: number) => {
    if (isClosed || due >= wakesAt || due === Infinity) return;
    timer?.[Symbol.dispose]();
    wakesAt = due;
    timer = clock.setTimer(Math.max(0, due - clock.now()), wake);
  };

  const rotate = async (): Promise<RotateReport> => {
    const grantsInUse = inUse();
    for (const grant of grantsInUse) catchUp(grant);
    const now = clock.now();
    const due = grantsInUse.filter((grant) => !refresher.isRefreshing(grant.id) && dueOf(grant) <= now);
    const outcomes = await inTurn(due, MAX_AT_ONCE, rotateOne);
    // Whoever began a refresh that still runs says when it is due again.
    for (const grant of inUse()) if (!refresher.isRefreshing(grant.id)) expect(dueOf(grant));
    const count = (kind: (typeof outcomes)[number]) => outcomes.filter((each) => each === kind).length;
    return {
      looked: grantsInUse.length,
      refreshed: count('refreshed'),
      ended: count('ended'),
      failed: count('failed'),
    };
  };

  return {
    rotate,
    expect,
    [Symbol.dispose]() {
      isClosed = true;
      timer?.[Symbol.dispose]();
    },
  };
}

/** Runs `work` over `items`, `atOnce` of them at a time; resolves with what came of each. */
async function inTurn<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      results.push(await work(item));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}
