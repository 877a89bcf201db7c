/** How many cases a fuzz test tries: 100,000 where every change is checked, fewer at a desk, or as many as are asked for. */
export const FUZZ_CASES = Number(process.env['POSTERN_FUZZ_CASES'] ?? (process.env['CI'] ? 100_000 : 10_000));
