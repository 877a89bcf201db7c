import type { Clock } from '../lib/clock.ts';
import type { DeviceId } from './model.ts';

/** So many changes of place within the window, and two agents have one key. */
const SWAPS = 3;
const WINDOW_MS = 5 * 60_000;

/**
 * Notices that two agents take a device's place from each other. What one run of one agent replaces is its own earlier
 * connection: whose line was cut comes back before anybody has noticed, and that is no sign of anything.
 */
export function cloneWatch(clock: Clock) {
  const swaps = new Map<DeviceId, number[]>();

  return {
    /** A connection took the place of one that was open; `true` once that makes it likely that the key was copied. */
    swapped(id: DeviceId, earlier: string | undefined, later: string | undefined): boolean {
      if (earlier !== undefined && earlier === later) return false;
      const now = clock.monotonicNow();
      const recent = [...(swaps.get(id) ?? []), now].filter((at) => now - at < WINDOW_MS);
      if (recent.length < SWAPS) {
        swaps.set(id, recent);
        return false;
      }
      swaps.delete(id);
      return true;
    },
    forget: (id: DeviceId) => void swaps.delete(id),
  };
}
