import type { z } from 'zod';
import { nearest } from '../lib/nearest.ts';
import { once } from '../lib/once.ts';
import { knownEntries, knownKeyAt } from './known-keys.ts';
import { describeFound, type Problem, printable } from './problem.ts';
import { describePath, type Path, pathKey, type RawConfig, valueAt } from './raw-config.ts';

type Issue = z.core.$ZodIssue;

/** A place where the schema refuses something, and why, in words. */
export interface Refusal {
  readonly path: Path;
  /** `undefined` for a key that is not known. */
  readonly expected: string | undefined;
  /** How it would be right, where that is plain. */
  readonly meant?: string | undefined;
}

/** The schema's complaints; inside a word-or-table those of the table, when a table was given. */
export function refusalsOf(issues: readonly Issue[], at: Path = []): Refusal[] {
  const refusals = issues.flatMap((issue): Refusal[] => {
    const path = [...at, ...issue.path.map((each) => (typeof each === 'number' ? each : String(each)))];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], expected: undefined }));
    }
    const inside = issue.code === 'invalid_union' ? issue.errors.find(isOfTable) : undefined;
    return inside === undefined
      ? [{ path, expected: issue.message, meant: meantBy(issue) }]
      : refusalsOf(inside, path);
  });
  // Bounds are checked one by one, and one word about a value is enough.
  const first = new Map(refusals.map((refusal) => [pathKey(refusal.path), refusal] as const).toReversed());
  return refusals.filter((refusal) => first.get(pathKey(refusal.path)) === refusal);
}

function meantBy(issue: Issue): string | undefined {
  const meant: unknown = issue.code === 'custom' ? issue.params?.['meant'] : undefined;
  return typeof meant === 'string' ? meant : undefined;
}

/** Whether these complaints are about what a table holds, and not about its not being one. */
function isOfTable(issues: readonly Issue[]): boolean {
  return issues.every(
    ({ path, code }) => path.length > 0 || code === 'unrecognized_keys' || code === 'custom',
  );
}

export function problemOfRefusal({ path, expected, meant }: Refusal, raw: RawConfig): Problem {
  const key = printable(describePath(raw.table, path));
  const source = raw.sourceOf(path);
  if (expected === undefined) {
    const nearest = nearestKey(path, raw);
    return { key, source: source.name, found: undefined, expected: 'there is no such key', nearest };
  }
  const known = knownKeyAt(path);
  const mayShow = known !== undefined && !known.secret && source.hidden !== true;
  const found = describeFound(valueAt(raw.table, path) ?? known?.defaultValue, mayShow);
  return { key, source: source.name, found, expected, nearest: mayShow ? meant : undefined };
}

/** A key that is in the wrong table, a key beside it that was mistyped, or a name that is wrong further up. */
function nearestKey(path: Path, raw: RawConfig): string | undefined {
  const last = String(path.at(-1));
  if (last.length > MAX_NAME) return undefined;
  const [misplaced, ...others] = allNames().filter((name) => name.endsWith(`.${last}`));
  if (misplaced !== undefined && others.length === 0) return misplaced;
  const pattern = path.map((segment) => (typeof segment === 'number' ? '*' : segment));
  const beside = nearest(last, namesIn(pattern.slice(0, -1)));
  if (beside !== undefined) return describePath(raw.table, [...path.slice(0, -1), beside]);
  return nearest(pattern.join('.'), allNames());
}

/** Longer names are nobody's slip of the hand. */
const MAX_NAME = 64;

const allNames = once(() =>
  knownEntries()
    .filter(({ path }) => path.at(-1) !== '*')
    .map(({ path }) => path.join('.')),
);

function namesIn(table: readonly string[]): string[] {
  const start = table.length;
  const inside = knownEntries().filter(
    ({ path }) => path.length > start && table.every((segment, at) => path[at] === segment),
  );
  return [...new Set(inside.map(({ path }) => path[start] ?? ''))].filter((name) => name !== '*');
}
