import type { RawTable } from './file.ts';
import { refusalsOf } from './issues.ts';
import { knownKeyAt } from './known-keys.ts';
import { type Path, pathKey, valueAt } from './raw-config.ts';
import { type Config, configSchema } from './schema.ts';

/** A configuration without what was wrong in it, so that the rest can still be checked. */
export interface Salvaged {
  readonly config: Config;
  /** Where a place of the salvaged configuration was before. */
  readonly before: (path: Path) => Path;
}

/** Each round drops something; what is left after this many is not worth more. */
const MAX_ROUNDS = 5;

/** Leaves out what was refused, and what cannot be without it, until the rest is accepted. */
export function salvage(table: RawTable, refused: readonly Path[]): Salvaged | undefined {
  const dropped = new Set(refused.map((path) => pathKey(droppable(table, path))));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const kept = new Map<string, number[]>();
    const rest = without(table, dropped, [], [], kept);
    const before = (path: Path) => placeBefore(path, kept);
    const { success, data, error } = configSchema.safeParse(rest, { jitless: true });
    if (success) return { config: data, before };
    for (const { path } of refusalsOf(error.issues)) dropped.add(pathKey(droppable(table, before(path))));
  }
  return undefined;
}

/** The smallest thing around a place that may be absent: an element of a list, or a key with a default. */
function droppable(table: RawTable, path: Path): Path {
  for (let length = path.length; length > 0; length--) {
    const place = path.slice(0, length);
    const mayBeAbsent = typeof place.at(-1) === 'number' || knownKeyAt(place)?.required !== true;
    if (mayBeAbsent && valueAt(table, place) !== undefined) return place;
  }
  return path;
}

/** A copy; `kept` learns for each list of it where its elements were. */
function without(
  value: unknown,
  dropped: ReadonlySet<string>,
  path: Path,
  newPath: Path,
  kept: Map<string, number[]>,
): unknown {
  if (Array.isArray(value)) {
    const indexes = [...value.keys()].filter((index) => !dropped.has(pathKey([...path, index])));
    kept.set(pathKey(newPath), indexes);
    return indexes.map((index, at) =>
      without(value[index], dropped, [...path, index], [...newPath, at], kept),
    );
  }
  if (typeof value !== 'object' || value === null) return value;
  const left = Object.entries(value).filter(([name]) => !dropped.has(pathKey([...path, name])));
  return Object.fromEntries(
    left.map(([name, each]) => [name, without(each, dropped, [...path, name], [...newPath, name], kept)]),
  );
}

function placeBefore(path: Path, kept: ReadonlyMap<string, number[]>): Path {
  return path.map((segment, at) =>
    typeof segment === 'number' ? (kept.get(pathKey(path.slice(0, at)))?.[segment] ?? segment) : segment,
  );
}
