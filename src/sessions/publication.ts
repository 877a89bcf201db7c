import type { Clock } from '../lib/clock.ts';
import type { OutboxStore } from './store-outbox.ts';

/** What the outbox was at one look. */
interface Look {
  /** The newest row that was ever in it. */
  readonly newest: number;
  /** Monotonic. */
  readonly at: number;
}

/** Older looks say less, and are needed only while something has waited for long. */
const MAX_LOOKS = 64;

/**
 * Tells, at each look, until when everything that was committed is published (monotonic): rows that wait were committed after the
 * last look at which they were not there. The time that stands in a row is the wall clock's, which may have been set back since.
 * `undefined`: something waits for longer than `timeoutMs`, or was there at the first look already.
 */
export function publication(
  outbox: Pick<OutboxStore, 'oldest' | 'newestEver'>,
  timeoutMs: number,
  clock: Pick<Clock, 'now' | 'monotonicNow'>,
): () => number | undefined {
  let looks: Look[] = [];

  return () => {
    const now = clock.monotonicNow();
    const oldest = outbox.oldest();
    looks = [...looks.slice(0, MAX_LOOKS - 1), { newest: outbox.newestEver(), at: now }];
    if (oldest === undefined) {
      looks = looks.slice(-1);
      return now;
    }
    const since = looks.findIndex(({ newest }) => newest >= oldest.id);
    const waitedMs = Math.max(clock.now() - oldest.at, now - (looks[since]?.at ?? now));
    const before = looks[since - 1];
    looks = looks.slice(Math.max(since - 1, 0));
    return waitedMs > timeoutMs ? undefined : before?.at;
  };
}
