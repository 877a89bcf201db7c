import type { Clock } from '../../lib/clock.ts';

/** By then the first pages have been served. In milliseconds. */
const AFTER_MS = 2_000;

/**
 * Gives back what only the start needed, 3 MB of 67: most appliances then rest for hours. The runtime calls the function
 * deprecated and has none in its place.
 */
export function dropStartGarbage(clock: Clock): Disposable {
  return clock.setTimer(AFTER_MS, () => Bun.shrink());
}
