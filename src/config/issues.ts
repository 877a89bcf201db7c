import type { z } from 'zod';
import { nearest } from '../lib/nearest.ts';
import { knownEntries, knownKeyAt } from './known-keys.ts';
import { describeFound, type Problem, printable } from './problem.ts';
import { describePath, type Path, pathKey, type RawConfig, valueAt } from './raw-config.ts';

type Issue = z.core.$ZodIssue;

/** A place where the schema refuses something, and why, in words. */
export interface Refusal {
  readonly path: Path;
  /** `undefined` for a key that is not known. */
  readonly expected: string | undefined;
}

/** The schema's complaints; inside a word-or-table those of the table, when a table was given. */
export function refusalsOf(issues: readonly Issue[], at: Path = []): Refusal[] {
  const refusals = issues.flatMap((issue): Refusal[] => {
    const path = [...at, ...issue.path.map((each) => (typeof each === 'number' ? each : String(each)))];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], expected: undefined }));
    }
    const inside = issue.code === 'invalid_union' ? issue.errors.find(isOfTable) : undefined;
    return inside === undefined ? [{ path, expected: issue.message }] : refusalsOf(inside, path);
  });
  // Bounds are checked one by one, and one word about a value is enough.
  const first = new Map(refusals.map((refusal) => [pathKey(refusal.path), refusal] as const).toReversed());
  return refusals.filter((refusal) => first.get(pathKey(refusal.path)) === refusal);
}

/** Whether these complaints are about what a table holds, and not about its not being one. */
function isOfTable(issues: readonly Issue[]): boolean {
  return issues.every(
    ({ path, code }) => path.length > 0 || code === 'unrecognized_keys' || code === 'custom',
  );
}

export function problemOfRefusal({ path, expected }: Refusal, raw: RawConfig): Problem {
  const key = printable(describePath(raw.table, path));
  const source = raw.sourceOf(path);
  if (expected === undefined) {
    return {
      key,
      source: source.name,
      found: undefined,
      expected: 'there is no such key',
      nearest: nearestKey(path, raw),
    };
  }
  return { key, source: source.name, found: foundAt(path, raw), expected, nearest: undefined };
}

/** What stands at a place, or what stands in for it. */
function foundAt(path: Path, raw: RawConfig): string {
  const known = knownKeyAt(path);
  const mayShow = known !== undefined && !known.secret && raw.sourceOf(path).hidden !== true;
  return describeFound(valueAt(raw.table, path) ?? known?.defaultValue, mayShow);
}

/** Looks among the keys beside it, then at whole names, then for the same key in another table. */
function nearestKey(path: Path, raw: RawConfig): string | undefined {
  const table = path.slice(0, -1);
  const last = String(path.at(-1));
  if (last.length > MAX_NAME) return undefined;
  const pattern = path.map((segment) => (typeof segment === 'number' ? '*' : segment));
  const beside = nearest(last, namesIn(pattern.slice(0, -1)));
  if (beside !== undefined) return describePath(raw.table, [...table, beside]);
  const whole = nearest(pattern.join('.'), allNames);
  return whole ?? allNames.find((name) => name.endsWith(`.${last}`));
}

/** Longer names are nobody's slip of the hand. */
const MAX_NAME = 64;

const allNames = knownEntries.filter(({ path }) => path.at(-1) !== '*').map(({ path }) => path.join('.'));

function namesIn(table: readonly string[]): string[] {
  const start = table.length;
  const inside = knownEntries.filter(
    ({ path }) => path.length > start && table.every((segment, at) => path[at] === segment),
  );
  return [...new Set(inside.map(({ path }) => path[start] ?? ''))].filter((name) => name !== '*');
}
