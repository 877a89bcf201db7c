/** A timer that has been set; disposing of it twice is harmless. */
export interface Timer extends Disposable {}

/** Where time comes from. The one implementation for tests is `ManualClock`. */
export interface Clock {
  /** Wall time, epoch milliseconds. */
  now(): number;
  /** Milliseconds since some fixed instant of this process; never steps back. */
  monotonicNow(): number;
  /** Calls `run` once after `delayMs`; the timer does not keep the process alive. */
  setTimer(delayMs: number, run: () => void): Timer;
}

/** The longest delay a runtime timer takes; longer waits are cut to it and the caller looks again. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  setTimer(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, MAX_TIMER_MS));
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Resolves after `delayMs` on `clock`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(asError(signal.reason));
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(asError(signal?.reason));
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves to the promise's value, or rejects with `onTimeout()` once `timeoutMs` have passed on `clock`. */
export function withDeadline<T>(
  clock: Clock,
  timeoutMs: number,
  promise: Promise<T>,
  onTimeout: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => reject(onTimeout()));
    promise.then(resolve, reject).finally(() => timer[Symbol.dispose]());
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
