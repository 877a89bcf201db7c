import { z } from 'zod';
import { configSchema } from './schema.ts';

export type KeyKind = 'text' | 'integer' | 'boolean' | 'duration' | 'choice' | 'list';

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

/** Every table and key, in the order of the schema. */
export const knownEntries: readonly (KnownKey | KnownTable)[] = [...entriesOf(configSchema, [])];
export const knownKeys: readonly KnownKey[] = knownEntries.filter((entry) => entry.kind !== 'table');

const byName = new Map(knownKeys.map((key) => [key.path.join('.'), key]));

/** The key that a place in a parsed file belongs to: its indexes stand for any element. */
export function knownKeyAt(path: readonly PropertyKey[]): KnownKey | undefined {
  const name = path.map((segment) => (typeof segment === 'number' ? '*' : String(segment))).join('.');
  return byName.get(name) ?? byName.get(name.replace(/\.\*$/, ''));
}

/** Whether the tables of a list are told apart by their `name`. */
export function isNamedList(path: readonly string[]): boolean {
  return byName.has([...path, '*', 'name'].join('.'));
}

function* entriesOf(
  schema: z.core.$ZodType,
  path: readonly string[],
  about = '',
): Iterable<KnownKey | KnownTable> {
  const { inner, facts } = peel(schema);
  const description = facts.description === '' ? about : facts.description;
  if (inner instanceof z.ZodObject) {
    yield { path, kind: 'table', description };
    for (const [name, each] of Object.entries(inner.shape)) yield* entriesOf(each, [...path, name]);
  } else if (inner instanceof z.ZodArray && peel(inner.element).inner instanceof z.ZodObject) {
    yield* entriesOf(inner.element, [...path, '*'], description);
  } else {
    yield { path, ...kindOf(inner, facts), ...facts };
    if (inner instanceof z.ZodUnion) for (const each of tablesOf(inner)) yield* entriesOf(each, path);
  }
}

/** Takes optional, default and transforming layers off; the outermost word on anything counts. */
function peel(schema: z.core.$ZodType): { inner: z.core.$ZodType; facts: Facts } {
  const { description = '', ...meta } = z.globalRegistry.get(schema) ?? {};
  const own = {
    description,
    secret: meta['secret'] === true,
    file: meta['file'] === true,
    duration: meta['duration'] === true,
  };
  const outside = { required: true, defaultValue: undefined, ...own };
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return under({ ...outside, required: false, defaultValue: schema.def.defaultValue }, schema.unwrap());
  }
  if (schema instanceof z.ZodOptional) return under({ ...outside, required: false }, schema.unwrap());
  if (schema instanceof z.ZodPipe) return under(outside, schema.in);
  return { inner: schema, facts: outside };
}

function under(outside: Facts, schema: z.core.$ZodType): { inner: z.core.$ZodType; facts: Facts } {
  const { inner, facts } = peel(schema);
  return {
    inner,
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

function kindOf(schema: z.core.$ZodType, { duration }: Facts): Pick<KnownKey, 'kind' | 'choices'> {
  if (duration) return { kind: 'duration', choices: [] };
  if (schema instanceof z.ZodArray) return { kind: 'list', choices: [] };
  if (schema instanceof z.ZodBoolean) return { kind: 'boolean', choices: [] };
  if (schema instanceof z.ZodNumber) return { kind: 'integer', choices: [] };
  if (schema instanceof z.ZodEnum) return { kind: 'choice', choices: schema.options.map(String) };
  if (schema instanceof z.ZodUnion) return { kind: 'choice', choices: schema.options.flatMap(literalsOf) };
  return { kind: 'text', choices: [] };
}

function literalsOf(schema: z.core.$ZodType): string[] {
  return schema instanceof z.ZodLiteral ? [...schema.values].map(String) : [];
}

function tablesOf(union: z.ZodUnion): z.core.$ZodType[] {
  return union.options.filter((option) => option instanceof z.ZodObject);
}
