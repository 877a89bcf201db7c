import { z } from 'zod';

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SHAPE = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Ten years: longer is a slip of the hand, and far below where timers and integers end. */
const LONGEST = '3650d';

/** Milliseconds of a duration as people write it: `250ms`, `5s`, `10m`, `24h`, `30d`. `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = SHAPE.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS]);
}

/** The shortest way to write whole milliseconds that `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  const units = Object.entries(UNITS_MS).toReversed();
  const [unit, size] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

/** A duration above zero, in configuration; parsed to milliseconds. */
export function duration(defaultText: string, longest = LONGEST) {
  const expected = `a duration above zero and at most ${longest}, like 30s, 10m, 24h or 30d`;
  const longestMs = parseDuration(longest) ?? 0;
  return z
    .string({ error: expected })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms > 0 && ms <= longestMs) return ms;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ duration: true })
    .prefault(defaultText);
}
