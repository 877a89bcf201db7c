import type { Clock } from '../../lib/clock.ts';
import { hangUpEnds } from './hang-up.ts';

export type Ending = 'SIGTERM' | 'SIGINT' | 'SIGHUP';

export interface EndingSignals extends Disposable {
  /** The first signal that asks the process to end. */
  readonly first: Promise<Ending>;
  /** One more, from somebody who does not want to wait. */
  readonly second: Promise<Ending>;
}

/**
 * `bun run` hands on the SIGINT that the terminal has sent to the whole process group already: within this time two are
 * one Ctrl-C, which no finger repeats as fast.
 */
const SAME_KEYSTROKE_MS = 200;

export interface SignalSource {
  on(signal: Ending, listener: () => void): unknown;
  off(signal: Ending, listener: () => void): unknown;
}

/** Listens for signals from now on. A hang-up counts only where closing the terminal is meant to end the process. */
export function endingSignals(
  clock: Clock,
  source: SignalSource = process,
  hangUp = hangUpEnds(),
): EndingSignals {
  const first = Promise.withResolvers<Ending>();
  const second = Promise.withResolvers<Ending>();
  let before: { signal: Ending; at: number } | undefined;

  const onSignal = (signal: Ending) => () => {
    if (signal === 'SIGHUP' && !hangUp) return;
    const at = clock.monotonicNow();
    const echo = signal === 'SIGINT' && before?.signal === signal && at - before.at < SAME_KEYSTROKE_MS;
    if (echo) return;
    (before === undefined ? first : second).resolve(signal);
    before ??= { signal, at };
  };
  const listeners = (['SIGTERM', 'SIGINT', 'SIGHUP'] as const).map(
    (signal) => [signal, onSignal(signal)] as const,
  );
  for (const [signal, listener] of listeners) source.on(signal, listener);

  return {
    first: first.promise,
    second: second.promise,
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) source.off(signal, listener);
    },
  };
}
