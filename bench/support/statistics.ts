/** @throws when there is nothing to take it of. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank: the least value that `percent` of all values do not exceed. @throws when there are none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  const value = sorted[rank - 1];
  if (value === undefined) throw new Error('no values');
  return value;
}
