import { randomBytes } from '../lib/random.ts';

export interface BackoffBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

/** The first wait is drawn from up to this many times the shortest one, so that agents of one server come apart. */
const FIRST_SPREAD = 4;

/**
 * How long to wait before the next dial: drawn evenly between the shortest wait and a bound that doubles with each failure,
 * up to the longest ("full jitter"). `failures` counts from 0.
 */
export function backoffMs(
  { minMs, maxMs }: BackoffBounds,
  failures: number,
  random = randomFraction(),
): number {
  const bound = Math.min(maxMs, minMs * FIRST_SPREAD * 2 ** Math.min(failures, 30));
  return Math.round(minMs + random * Math.max(0, bound - minMs));
}

/** Evenly between 0 and 1, 1 excluded. */
function randomFraction(): number {
  return new DataView(randomBytes(4).buffer as ArrayBuffer).getUint32(0) / 2 ** 32;
}
