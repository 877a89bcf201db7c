import type { Clock } from '../lib/clock.ts';

/** So many at once and so many a second after that; the clock is asked only when those at hand are used up. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #perMs: number;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, { capacity, perSecond }: { capacity: number; perSecond: number }) {
    this.#clock = clock;
    this.#capacity = this.#tokens = capacity;
    this.#perMs = perSecond / 1000;
    this.#filledAt = clock.monotonicNow();
  }

  /** Whether there was one left. */
  take(): boolean {
    if (this.#tokens < 1) this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #fill(): void {
    const now = this.#clock.monotonicNow();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
  }
}
