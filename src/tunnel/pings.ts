/** Pings of ours that wait for their answer. */
const WAITING_PINGS = 8;

interface WaitingPing extends PromiseWithResolvers<number> {
  readonly sentAt: number;
}

/** The pings of one side, and what they say of the way there and back. Instants are monotonic milliseconds. */
export class Pings {
  readonly #waiting = new Map<number, WaitingPing>();
  #last = 0;
  /**
   * The way there and back on an idle line, in milliseconds: the shortest of all answers, because what waits before a ping
   * makes its way longer. Another line is another connection.
   */
  roundTripMs: number | undefined;

  get areWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** A new ping by its value, which the other side repeats. The oldest of too many is given up. */
  ask(now: number): { value: number; answer: Promise<number> } {
    const value = ++this.#last;
    const waiting = { ...Promise.withResolvers<number>(), sentAt: now };
    this.#waiting.set(value, waiting);
    for (const [oldest, { reject }] of this.#waiting) {
      if (this.#waiting.size <= WAITING_PINGS) break;
      this.#waiting.delete(oldest);
      reject(new Error('a ping was not answered'));
    }
    return { value, answer: waiting.promise };
  }

  /** `late`: nobody waits for it any more; `unasked`: there was no such ping. */
  answered(value: number, now: number): 'in_time' | 'late' | 'unasked' {
    const waiting = this.#waiting.get(value);
    if (waiting === undefined) return value > this.#last ? 'unasked' : 'late';
    this.#waiting.delete(value);
    const roundTripMs = now - waiting.sentAt;
    this.roundTripMs = Math.min(roundTripMs, this.roundTripMs ?? Infinity);
    waiting.resolve(roundTripMs);
    return 'in_time';
  }

  /** No answer will come. */
  close(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('the tunnel has ended'));
    this.#waiting.clear();
  }
}
