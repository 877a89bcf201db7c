import { formatDuration } from './duration.ts';
import { knownKeyAt } from './known-keys.ts';
import type { Config } from './schema.ts';
import { tomlValue } from './toml.ts';

/** Stands in the place of a secret; too short to be taken for one. */
export const MASK = '(hidden)';

type Table = Readonly<Record<string, unknown>>;
type Path = readonly string[];

/** The configuration as `postern.toml` would say it, defaults written out and secrets masked. Ends in a line break. */
export function printConfig(config: Config): string {
  return `${sectionsOf(config, []).join('\n\n')}\n`;
}

/** The plain keys of a table under its heading, then the tables in it. */
function sectionsOf(table: Table, path: Path, heading?: string): string[] {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined);
  const lines = entries.flatMap(([name, value]) => lineOf(name, value, [...path, name]));
  const own = [...(heading === undefined ? [] : [heading]), ...lines];
  const inner = entries.flatMap(([name, value]) => innerSections(value, [...path, name]));
  return [...(lines.length === 0 && heading?.startsWith('[[') !== true ? [] : [own.join('\n')]), ...inner];
}

function lineOf(name: string, value: unknown, path: Path): string[] {
  return isSection(value, path) ? [] : [`${name} = ${tomlValue(shown(value, path))}`];
}

function innerSections(value: unknown, path: Path): string[] {
  if (!isSection(value, path)) return [];
  const name = path.filter((segment) => segment !== '*').join('.');
  if (!Array.isArray(value)) return sectionsOf(value as Table, path, `[${name}]`);
  return value.flatMap((element: Table) => sectionsOf(element, [...path, '*'], `[[${name}]]`));
}

/** Tables, and lists of tables; people and certificates stay on the line of their key. */
function isSection(value: unknown, path: Path): boolean {
  if (path.includes('*') || knownKeyAt(path) !== undefined) return false;
  return typeof value === 'object' && value !== null;
}

function shown(value: unknown, path: Path): unknown {
  const known = knownKeyAt(path);
  if (known?.kind === 'map') return mapShown(value as Table);
  if (known?.secret === true) return Array.isArray(value) ? value.map(() => MASK) : MASK;
  if (known?.kind === 'duration' && typeof value === 'number') return formatDuration(value);
  if (known === undefined && typeof value === 'object' && value !== null)
    return tableShown(value as Table, path);
  return value;
}

/** A table inside an element of a list. */
function tableShown(table: Table, path: Path): Table {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, shown(value, [...path, name])]));
}

/** Says nothing but where a secret goes. */
const ONLY_PLACEHOLDER = /^(?:Bearer |token )?\$\{[^}]*\}$/;

function mapShown(table: Table): Table {
  const entries = Object.entries(table);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, ONLY_PLACEHOLDER.test(String(value)) ? value : MASK]),
  );
}
