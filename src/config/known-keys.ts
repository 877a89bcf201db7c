import { z } from 'zod';
import { once } from '../lib/once.ts';
import { preparedEntries } from './prepared.ts';
import { configSchema } from './schema.ts';

/** A `map` is a table whose names are the operator's own. */
export type KeyKind = 'text' | 'integer' | 'boolean' | 'duration' | 'choice' | 'list' | 'map';

/** A key of the configuration that holds a value, read off the schema. */
export interface KnownKey {
  /** `*` stands for any element of a list of tables. */
  readonly path: readonly string[];
  readonly kind: KeyKind;
  /** What a choice may be; a table may stand in the place of some. */
  readonly choices: readonly string[];
  readonly required: boolean;
  readonly defaultValue: unknown;
  readonly description: string;
  /** Its value is never shown. */
  readonly secret: boolean;
  /** Its value is the name of a file or directory. */
  readonly file: boolean;
}

/** A table, or the tables of a list when its path ends in `*`. */
export interface KnownTable {
  readonly path: readonly string[];
  readonly kind: 'table';
  readonly description: string;
}

interface Facts {
  required: boolean;
  defaultValue: unknown;
  description: string;
  secret: boolean;
  file: boolean;
  duration: boolean;
}

export type KnownEntry = KnownKey | KnownTable;

/** Every table and key, in the order of the schema. */
export const knownEntries = once(
  (): readonly KnownEntry[] => preparedEntries() ?? [...entriesOf(configSchema, [])],
);
export const knownKeys = once(() =>
  knownEntries().filter((entry): entry is KnownKey => entry.kind !== 'table'),
);

const byName = once(() => new Map(knownKeys().map((key) => [key.path.join('.'), key])));

/** The key that a place in a parsed file belongs to: its indexes stand for any element. */
export function knownKeyAt(path: readonly PropertyKey[]): KnownKey | undefined {
  const name = path.map((segment) => (typeof segment === 'number' ? '*' : String(segment))).join('.');
  return byName().get(name) ?? byName().get(name.replace(/\.\*$/, ''));
}

/** Whether the tables of a list are told apart by their `name`. */
export function isNamedList(path: readonly string[]): boolean {
  return byName().has([...path, '*', 'name'].join('.'));
}

type Schema = z.core.$ZodTypes;
type Definition = Schema['_zod']['def'];

function* entriesOf(schema: z.core.$ZodType, path: readonly string[], about = ''): Iterable<KnownEntry> {
  const { definition, facts } = peel(schema);
  const description = facts.description === '' ? about : facts.description;
  if (definition.type === 'object') {
    yield { path, kind: 'table', description };
    for (const [name, each] of Object.entries(definition.shape)) yield* entriesOf(each, [...path, name]);
  } else if (definition.type === 'array' && definitionOf(definition.element).type === 'object') {
    yield* entriesOf(definition.element, [...path, '*'], description);
  } else {
    yield { path, ...kindOf(definition, facts), ...facts };
    for (const each of alternativesTo(definition))
      if (definitionOf(each).type === 'object') yield* entriesOf(each, path);
  }
}

/** Of what is made when it is asked for, what it then is. */
function definitionOf(schema: z.core.$ZodType): Definition {
  const definition = (schema as Schema)._zod.def;
  return definition.type === 'lazy' ? definitionOf(definition.getter()) : definition;
}

/** Takes optional, default and transforming layers off; the outermost word on anything counts. */
function peel(schema: z.core.$ZodType): { definition: Definition; facts: Facts } {
  const { description = '', ...meta } = z.globalRegistry.get(schema) ?? {};
  const facts = {
    required: true,
    defaultValue: undefined,
    description,
    secret: meta['secret'] === true,
    file: meta['file'] === true,
    duration: meta['duration'] === true,
  };
  const definition = definitionOf(schema);
  if (definition.type === 'default' || definition.type === 'prefault') {
    return under({ ...facts, required: false, defaultValue: definition.defaultValue }, definition.innerType);
  }
  if (definition.type === 'optional') return under({ ...facts, required: false }, definition.innerType);
  return definition.type === 'pipe' ? under(facts, definition.in) : { definition, facts };
}

function under(outside: Facts, schema: z.core.$ZodType): { definition: Definition; facts: Facts } {
  const { definition, facts } = peel(schema);
  return {
    definition,
    facts: {
      required: outside.required && facts.required,
      defaultValue: outside.defaultValue ?? facts.defaultValue,
      description: outside.description === '' ? facts.description : outside.description,
      secret: outside.secret || facts.secret,
      file: outside.file || facts.file,
      duration: outside.duration || facts.duration,
    },
  };
}

function kindOf(definition: Definition, { duration }: Facts): Pick<KnownKey, 'kind' | 'choices'> {
  if (duration) return { kind: 'duration', choices: [] };
  if (definition.type === 'array') return { kind: 'list', choices: [] };
  if (definition.type === 'record') return { kind: 'map', choices: [] };
  if (definition.type === 'boolean') return { kind: 'boolean', choices: [] };
  if (definition.type === 'number') return { kind: 'integer', choices: [] };
  if (definition.type === 'enum')
    return { kind: 'choice', choices: Object.values(definition.entries).map(String) };
  if (definition.type === 'union') return { kind: 'choice', choices: definition.options.flatMap(wordsOf) };
  return { kind: 'text', choices: [] };
}

function wordsOf(schema: z.core.$ZodType): string[] {
  const definition = definitionOf(schema);
  return definition.type === 'literal' ? definition.values.map(String) : [];
}

function alternativesTo(definition: Definition): readonly z.core.$ZodType[] {
  return definition.type === 'union' ? definition.options : [];
}
