/**
 * Measures several things in turn, `rounds` times over, so that a machine that is slow for a while is slow for all.
 * The first round warms up and is not counted.
 */
export async function interleave<Name extends string, Result>(
  contenders: Readonly<Record<Name, () => Result | Promise<Result>>>,
  rounds: number,
): Promise<Record<Name, Result>[]> {
  const results: Record<Name, Result>[] = [];
  for (let round = 0; round <= rounds; round++) {
    const entries: [string, Result][] = [];
    for (const [name, measure] of Object.entries<() => Result | Promise<Result>>(contenders)) {
      entries.push([name, await measure()]);
    }
    if (round > 0) results.push(Object.fromEntries(entries) as Record<Name, Result>);
  }
  return results;
}

/** Operations per second of a synchronous `batch` of `size` operations, repeated for about `forMs`. */
export function operationsPerSecond(size: number, forMs: number, batch: () => void): number {
  const startedAt = performance.now();
  let operations = 0;
  let elapsed = 0;
  do {
    batch();
    operations += size;
    elapsed = performance.now() - startedAt;
  } while (elapsed < forMs);
  return operations / (elapsed / 1_000);
}
