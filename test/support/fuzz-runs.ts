/** How many cases a fuzz test tries: its own number, or that of the variable `FUZZ_RUNS`. */
export function fuzzRuns(runs: number): number {
  const wanted = Number(process.env['FUZZ_RUNS'] ?? runs);
  if (!Number.isSafeInteger(wanted) || wanted <= 0) throw new Error('FUZZ_RUNS is a positive number');
  return wanted;
}

/** A long run takes its time: milliseconds for so many cases. */
export function fuzzTimeoutMs(runs: number): number {
  return Math.max(60_000, fuzzRuns(runs) * 2);
}
