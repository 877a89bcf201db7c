import type { Reached, StreamState } from './stream-progress.ts';
import { NEVER, type Trust } from './trust.ts';

/** A heartbeat that was sent. */
export interface Beat {
  /** Monotonic: everything that was committed before had been published when it was sent. `undefined`: too much had not. */
  readonly publishedUntil: number | undefined;
  /** Which read of the streams was under way when it was known; what it stands behind may have passed that one by. */
  readonly round: number;
  /** Both streams when it had been added to one of them. */
  readonly sessions: StreamState;
  readonly devices: StreamState;
}

/** How far the two streams have been read. */
export type ReachedBy = (beat: Beat) => Reached;

export interface Heartbeats extends Trust {
  sent(beat: Beat): void;
  /** Looks whether heartbeats came back. `complete`: the newest that did, if any; `lost`: something was missed. */
  review(reachedBy: ReachedBy): { complete: Beat | undefined; isLost: boolean };
  /** Nothing that was sent counts any more. */
  reset(): void;
}

/** More are on their way only while Redis stalls; the oldest say the least. */
const MAX_PENDING = 32;

/**
 * Memory is believed for `timeoutMs` from an instant until which everything is known to be applied: that at which the newest
 * heartbeat was sent which was read back, with all that stood before it. Nothing that ended is served for longer.
 */
export function heartbeats(timeoutMs: number): Heartbeats {
  let until = NEVER;
  let pending: Beat[] = [];

  return {
    get until() {
      return until;
    },
    sent(beat) {
      pending = [...pending.slice(1 - MAX_PENDING), beat];
    },
    review(reachedBy) {
      const reached = pending.map(reachedBy);
      if (reached.includes('lost')) return { complete: undefined, isLost: true };
      const complete = pending[reached.lastIndexOf('complete')];
      if (complete !== undefined) {
        pending = pending.slice(pending.indexOf(complete) + 1);
        until = complete.publishedUntil === undefined ? NEVER : complete.publishedUntil + timeoutMs;
      }
      return { complete, isLost: false };
    },
    reset() {
      until = NEVER;
      pending = [];
    },
  };
}

/** Both streams have to have been read. */
export function reachedBoth(sessions: Reached, devices: Reached): Reached {
  if (sessions === 'lost' || devices === 'lost') return 'lost';
  return sessions === 'complete' && devices === 'complete' ? 'complete' : 'behind';
}
