/** The field and the curve of Ed25519 (RFC 8032 section 5.1). */
const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** `y` of a point of order eight; of the others it is −y. */
const Y_OF_ORDER_EIGHT = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;

/** `y` of every point whose order divides 8. */
const SMALL_ORDER: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, Y_OF_ORDER_EIGHT, P - Y_OF_ORDER_EIGHT]);

/** What is wrong with 32 bytes that should be a point; `undefined` when nothing is. */
export type PointDefect = 'not_canonical' | 'small_order' | 'not_on_curve';

/**
 * Judges an encoded point (RFC 8032 section 5.1.3), and refuses points of small order besides: with such a key one
 * signature fits many messages. Slow, because it is asked once for each key: when a device brings it.
 */
export function pointDefect(encoded: Uint8Array): PointDefect | undefined {
  const y = littleEndian(encoded) & ((1n << 255n) - 1n);
  if (y >= P) return 'not_canonical';
  if (SMALL_ORDER.has(y)) return 'small_order';
  // x = 0 belongs to 1 and −1 alone, so either sign of x is fine from here on.
  return isOnCurve(y) ? undefined : 'not_on_curve';
}

/** Whether x² = (y² − 1) / (d y² + 1) has a root; a quotient is a square exactly when the product is. */
function isOnCurve(y: bigint): boolean {
  const square = (y * y) % P;
  const product = ((square - 1n + P) * (D * square + 1n)) % P;
  return power(product, (P - 1n) / 2n) === 1n;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let factor = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % P;
    factor = (factor * factor) % P;
  }
  return result;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
}
