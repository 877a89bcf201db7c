import type { Assignment, Source } from './assignment.ts';
import type { ConfigFile, RawTable } from './file.ts';
import { isNamedList, knownKeyAt } from './known-keys.ts';

/** A place in a parsed file: keys, and indexes into lists. */
export type Path = readonly (string | number)[];

const DEFAULT: Source = { name: 'default' };

/** File, environment and flags laid over each other, before anything is checked. */
export interface RawConfig {
  readonly table: RawTable;
  /** Lays a value over what is there. */
  assign(assignment: Assignment): void;
  /** Where the value at a place came from, or whatever holds it. */
  sourceOf(path: Path): Source;
}

export function rawConfig({ table, path: file }: Pick<ConfigFile, 'table' | 'path'>): RawConfig {
  const sources = new Map<string, Source>();
  const base = file === undefined ? DEFAULT : { name: file };
  return {
    table,
    assign({ path, key, value, source }) {
      const place = placeFor(table, path, key.path, (created) => sources.set(pathKey(created), source));
      if (place === undefined) return;
      place.holder[place.name] = value;
      sources.set(pathKey(place.path), source);
    },
    sourceOf(path) {
      for (let length = path.length; length > 0; length--) {
        const source = sources.get(pathKey(path.slice(0, length)));
        if (source !== undefined) return source;
      }
      return valueAt(table, path) === undefined && knownKeyAt(path)?.required !== true ? DEFAULT : base;
    },
  };
}

/** A path as the key of a map or set; names may hold any character. */
export const pathKey = (path: Path): string => JSON.stringify(path);

export function valueAt(table: RawTable, path: Path): unknown {
  return path.reduce<unknown>((value, segment) => memberOf(value, segment), table);
}

function memberOf(value: unknown, segment: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
  return (value as Record<string | number, unknown>)[segment];
}

interface Place {
  readonly holder: RawTable;
  readonly name: string;
  readonly path: Path;
}

/** Walks to the table that holds the last segment and makes what is missing; gives up where something else stands. */
function placeFor(
  root: RawTable,
  path: readonly string[],
  pattern: readonly string[],
  created: (path: Path) => void,
): Place | undefined {
  let holder = root;
  const place: (string | number)[] = [];
  for (const [at, segment] of path.slice(0, -1).entries()) {
    const isElement = pattern[at] === '*';
    if (isElement) continue;
    place.push(segment);
    const listed = pattern[at + 1] === '*';
    const next = listed ? elementIn(holder, segment, path[at + 1] ?? '') : tableIn(holder, segment, place);
    if (next === undefined) return undefined;
    if (listed) place.push(next.index);
    if (next.isNew) created([...place]);
    holder = next.table;
  }
  const name = path.at(-1) ?? '';
  return { holder, name, path: [...place, name] };
}

interface Found {
  readonly table: RawTable;
  readonly index: number;
  readonly isNew: boolean;
}

function tableIn(holder: RawTable, name: string, path: Path): Found | undefined {
  const value = memberOf(holder, name);
  if (isTable(value)) return { table: value, index: 0, isNew: false };
  // Where a word or a table may stand, a table above takes the place of the word below.
  const replaceable = value === undefined || knownKeyAt(path) !== undefined;
  if (!replaceable) return undefined;
  const table: RawTable = {};
  holder[name] = table;
  return { table, index: 0, isNew: true };
}

function elementIn(holder: RawTable, list: string, name: string): Found | undefined {
  const value = memberOf(holder, list) ?? [];
  if (!Array.isArray(value)) return undefined;
  holder[list] = value;
  const index = value.findIndex((element) => memberOf(element, 'name') === name);
  if (index !== -1) return { table: value[index] as RawTable, index, isNew: false };
  const table: RawTable = { name };
  return { table, index: value.push(table) - 1, isNew: true };
}

function isTable(value: unknown): value is RawTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A place by the words of the file: elements by their name, where they have one. */
export function describePath(table: RawTable, path: Path): string {
  return path.reduce<string>((text, segment, at) => {
    if (typeof segment === 'string') return at === 0 ? segment : `${text}.${segment}`;
    const name = memberOf(valueAt(table, path.slice(0, at + 1)), 'name');
    const named =
      isNamedList(path.slice(0, at).map(String)) && typeof name === 'string' && /^[\w-]{1,64}$/.test(name);
    return named ? `${text}.${name}` : `${text}[${segment}]`;
  }, '');
}
