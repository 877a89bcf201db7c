import type { Clock, Timer } from '../lib/clock.ts';

/** Things that all wait equally long, on one timer between them: a timer for each call would cost as much as the call. */
export interface DueQueue<T> {
  add(thing: T): void;
  delete(thing: T): void;
  readonly size: number;
}

/** Calls `onDue` once for each thing that is still there `delayMs` after it was added, never early. */
export function dueQueue<T>(clock: Clock, delayMs: number, onDue: (thing: T) => void): DueQueue<T> {
  /** Thing → since when; in the order of coming, which is the order of falling due. */
  const waiting = new Map<T, number>();
  let timer: Timer | undefined;

  const run = () => {
    timer = undefined;
    const now = clock.monotonicNow();
    for (const [thing, since] of waiting) {
      if (since + delayMs > now) return arm(since + delayMs - now);
      waiting.delete(thing);
      onDue(thing);
    }
  };
  const arm = (inMs: number) => {
    timer ??= clock.setTimer(inMs, run);
  };

  return {
    add(thing) {
      waiting.set(thing, clock.monotonicNow());
      arm(delayMs);
    },
    delete(thing) {
      waiting.delete(thing);
    },
    get size() {
      return waiting.size;
    },
  };
}
