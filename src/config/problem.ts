import { CommandError } from '../lib/command-error.ts';
import { tomlValue } from './toml.ts';

/** One thing that is wrong with the configuration. No field ever holds a secret's value. */
export interface Problem {
  /** As it stands in `postern.toml`, elements by name where they have one; or the flag or variable that is no key. */
  readonly key: string;
  /** Where the value came from: a file, a variable, a flag, or the default. */
  readonly source: string;
  /** What was found, in words or as TOML; `undefined` where the complaint is about the key itself. */
  readonly found: string | undefined;
  readonly expected: string;
  /** The known key, variable or flag that was most likely meant. */
  readonly nearest: string | undefined;
}

/** Ends a command with exit 2 and every problem at once. */
export class ConfigError extends CommandError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(messageOf(problems), 2);
    this.problems = problems;
  }
}

function messageOf(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return [`the configuration has ${count}`, ...problems.map(describeProblem)].join('\n\n');
}

/** Two or three lines: the key and its source, what is wrong, and what was perhaps meant. */
function describeProblem({ key, source, found, expected, nearest }: Problem): string {
  const origin = source === key ? '' : ` (${source})`;
  const complaint = found === undefined ? expected : `found ${found}; expected ${expected}`;
  const hint = nearest === undefined ? '' : `\n    did you mean ${nearest}?`;
  return `  ${key}${origin}\n    ${complaint}${hint}`;
}

const MAX_SHOWN = 80;
const HIDDEN = 'a value that is not shown';

/**
 * What was found, as TOML on one line. Shown are only plain values of keys that are known and not secret: what stands
 * under a mistyped key, or in the place of a table, may be a secret that went astray.
 */
export function describeFound(value: unknown, mayShow: boolean): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a table';
  if (!mayShow) return HIDDEN;
  return typeof value === 'string' ? quote(value) : tomlValue(value);
}

function quote(value: string): string {
  if (value.includes('-----BEGIN')) return HIDDEN;
  const withoutCredentials = value
    .replaceAll(/\/\/\S*@/g, '//…@')
    .replaceAll(/(rediss?:\/\/[^\s?]*\?)\S+/gi, '$1…');
  const shown =
    withoutCredentials.length > MAX_SHOWN ? `${withoutCredentials.slice(0, MAX_SHOWN)}…` : withoutCredentials;
  return printable(tomlValue(shown));
}

/** A name that somebody else wrote, fit for a terminal: cut, and without control characters. */
export function printable(name: string): string {
  const cut = name.length > MAX_SHOWN + 3 ? `${name.slice(0, MAX_SHOWN)}…` : name;
  return cut.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}
