import { HeldByAnother } from '../db/lock.ts';
import { sleep, systemClock } from '../lib/clock.ts';

/** How long another process may be starting, ending, or busy with one command. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 50;

/** Tries again, for a while, as long as another process holds what is needed. */
export async function patiently<T>(attempt: () => Promise<T>, clock = systemClock): Promise<T> {
  const giveUpAt = clock.monotonicNow() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HeldByAnother) || clock.monotonicNow() >= giveUpAt) throw error;
      await sleep(clock, RETRY_MS);
    }
  }
}
