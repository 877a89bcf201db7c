import type { Clock } from '../../src/lib/clock.ts';

interface Waiting {
  dueAt: number;
  run: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(startAt = Date.UTC(2030, 0, 1)) {
    this.#now = startAt;
  }

  now(): number {
    return this.#now;
  }

  monotonicNow(): number {
    return this.#monotonic;
  }

  setTimer(delayMs: number, run: () => void): Disposable {
    const timer = { dueAt: this.#monotonic + delayMs, run };
    this.#waiting.add(timer);
    return { [Symbol.dispose]: () => void this.#waiting.delete(timer) };
  }

  /** Moves both times forward, runs what comes due in order, and lets what that set off settle. */
  async advance(byMs: number): Promise<void> {
    const until = this.#monotonic + byMs;
    for (;;) {
      const next = [...this.#waiting]
        .filter(({ dueAt }) => dueAt <= until)
        .sort((a, b) => a.dueAt - b.dueAt)[0];
      if (next === undefined) break;
      this.#move(next.dueAt - this.#monotonic);
      this.#waiting.delete(next);
      next.run();
      await settle();
    }
    this.#move(until - this.#monotonic);
    await settle();
  }

  /** Sets the wall clock alone, as an NTP correction or a dead battery does. */
  setWall(now: number): void {
    this.#now = now;
  }

  #move(byMs: number): void {
    this.#now += byMs;
    this.#monotonic += byMs;
  }
}

/** A few turns of the event loop: promises, group commits and their followers have run. */
export async function settle(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
