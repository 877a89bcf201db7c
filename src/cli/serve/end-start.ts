import type { Clock } from '../../lib/clock.ts';

/** By then the first pages have been served. In milliseconds. */
const AFTER_MS = 2_000;

/**
 * For what goes on running. A compiled file begins with a compiler that holds back (`build.ts`), which is right for code that runs
 * once and wrong from here on. And what only the start needed is given back, 3 MB: most appliances then rest for hours. The
 * runtime calls the function deprecated and has none in its place.
 */
export function endStart(clock: Clock): Disposable {
  Bun.unsafe.setJITPolicy(1);
  return clock.setTimer(AFTER_MS, () => Bun.shrink());
}
