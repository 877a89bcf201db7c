import type { Clock } from '../lib/clock.ts';

/** What time it is at the server, as far as the agent knows: a board without a battery wakes up in 1970. */
export interface ServerTime {
  /** Epoch milliseconds. */
  now(): number;
  /** How far this machine's clock is behind the server's, in milliseconds. */
  readonly offsetMs: number;
  /** Takes the server's word; tells whether it changed anything that matters. */
  correct(serverMs: number): boolean;
}

/** Less than what a signature may be off by, with room for the way. */
const TOLERANCE_MS = 10_000;

export function serverTime(clock: Pick<Clock, 'now'>): ServerTime {
  let offsetMs = 0;
  return {
    now: () => clock.now() + offsetMs,
    get offsetMs() {
      return offsetMs;
    },
    correct(serverMs) {
      const found = serverMs - clock.now();
      if (!Number.isFinite(found) || Math.abs(found - offsetMs) <= TOLERANCE_MS) return false;
      offsetMs = found;
      return true;
    },
  };
}
