import type { KnownKey } from './known-keys.ts';
import type { NamedKey } from './names.ts';

/** Where a value came from. */
export interface Source {
  /** For messages: a file, a variable, a flag. */
  readonly name: string;
  /** Whether its values are never shown, because it exists to hold secrets. */
  readonly hidden?: boolean;
}

/** A value given outside the file. */
export interface Assignment extends NamedKey {
  readonly value: unknown;
  readonly source: Source;
}

/** The value that a text stands for where there are only texts; one that does not fit stays a text, for the schema to refuse. */
export function valueOfText(text: string, { kind }: KnownKey): unknown {
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (kind === 'integer') return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : text;
  if (kind === 'list') return text.trim() === '' ? [] : text.split(',').map((element) => element.trim());
  return text;
}
