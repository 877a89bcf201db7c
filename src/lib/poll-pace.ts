import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';

/** RFC 8628 section 3.5: how much longer somebody has to wait who asked too soon. */
const SLOWER_MS = 5_000;
/** A clock that runs a little fast over there, or a network that is quicker this time, is no fault. */
const LENIENCE = 0.8;

interface Pace {
  askedAt: number;
  intervalMs: number;
}

export interface PollPace {
  /** Notes that `key` asks; `true`: sooner than it was told to, so that it has to wait 5 s longer from now on. */
  isTooSoon(key: string): boolean;
}

/**
 * Who polls how fast (RFC 8628 section 3.5). In memory alone: a poll writes nothing, and after a restart nobody is too soon.
 */
export function pollPace({
  clock,
  intervalMs,
  maxKeys,
}: {
  clock: Clock;
  intervalMs: number;
  maxKeys: number;
}): PollPace {
  const paces = new LRUCache<string, Pace>({ max: maxKeys });
  return {
    isTooSoon(key) {
      const now = clock.monotonicNow();
      const pace = paces.get(key);
      const isTooSoon = pace !== undefined && now - pace.askedAt < pace.intervalMs * LENIENCE;
      const before = pace?.intervalMs ?? intervalMs;
      paces.set(key, { askedAt: now, intervalMs: isTooSoon ? before + SLOWER_MS : before });
      return isTooSoon;
    },
  };
}
