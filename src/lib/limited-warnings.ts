import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

const MINUTE_MS = 60_000;

export interface WarningLimit {
  readonly perMinute: number;
  /** Said in a later minute of those that were left out, with how many there were (`dropped`). */
  readonly more: string;
}

/** Warnings of what others can bring about as often as they like. */
export function limitedWarnings(
  log: Logger,
  clock: Pick<Clock, 'monotonicNow'>,
  { perMinute, more }: WarningLimit,
): (message: string, fields: Record<string, unknown>) => void {
  let since = -Infinity;
  let count = 0;
  return (message, fields) => {
    const now = clock.monotonicNow();
    if (now - since >= MINUTE_MS) {
      if (count > perMinute) log.warn(more, { dropped: count - perMinute });
      since = now;
      count = 0;
    }
    if (++count <= perMinute) log.warn(message, fields);
  };
}
