import { AppError } from '../lib/app-error.ts';

/** Failures in a row: children that did not start, or did not live long. */
export interface Restarts {
  readonly failures: number;
  /** Monotonic milliseconds. */
  readonly notBefore: number;
}

export const NO_FAILURES: Restarts = { failures: 0, notBefore: 0 };

export interface RestartWaits {
  firstMs: number;
  longestMs: number;
}

/** A child that lived that long starts counting afresh when it crashes. */
const LONG_LIFE_MS = 60_000;

/** One more failure at `now` (monotonic); the first costs nothing, each further one doubles the wait. */
export function afterFailure(
  { failures }: Restarts,
  now: number,
  { firstMs, longestMs }: RestartWaits,
  livedMs = 0,
): Restarts {
  const count = livedMs >= LONG_LIFE_MS ? 1 : failures + 1;
  const waitMs = count === 1 ? 0 : Math.min(longestMs, firstMs * 2 ** (count - 2));
  return { failures: count, notBefore: now + waitMs };
}

/** @throws AppError `unavailable` (`mcp_backend_failing`) while the wait lasts. */
export function requireRestartable({ notBefore }: Restarts, now: number): void {
  if (now >= notBefore) return;
  const retryAfterSeconds = Math.ceil((notBefore - now) / 1_000);
  throw new AppError(
    'unavailable',
    'mcp_backend_failing',
    'This MCP server keeps failing; it is tried again later.',
    {
      retryAfterSeconds,
    },
  );
}
