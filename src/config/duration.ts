import { z } from 'zod';

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SHAPE = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Milliseconds of a duration as people write it: `250ms`, `5s`, `10m`, `24h`, `30d`. `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = SHAPE.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS]);
}

/** A duration above zero, in configuration; parsed to milliseconds. */
export function duration(defaultText: string) {
  return z
    .string({ error: 'a duration like 30s, 10m, 24h or 30d' })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms > 0) return ms;
      context.addIssue({ code: 'custom', message: 'a duration above zero, like 30s, 10m, 24h or 30d' });
      return z.NEVER;
    })
    .prefault(defaultText);
}
