import { type Assignment, valueOfText } from './assignment.ts';
import type { Given } from './env.ts';
import { keyOfFlagName, type NamedKey, nearestFlagName } from './names.ts';
import { type Problem, printable } from './problem.ts';

/** What the command line says of the configuration. */
export interface GivenByFlags extends Given {
  /** The file that `--config` names. */
  readonly configFile: string | undefined;
}

/** Names the file; it is no key. */
const CONFIG_FLAG = 'config';

interface Flag {
  /** Without dashes. */
  readonly name: string;
  readonly named: NamedKey | undefined;
  readonly value: string | undefined;
  /** How many words of the command line it takes. */
  readonly words: number;
}

/** Reads `--key value` and `--key=value`; a key that is true or false needs no value. */
export function readFlags(argv: readonly string[]): GivenByFlags {
  const flags: Flag[] = [];
  const problems: Problem[] = [];
  for (let at = 0; at < argv.length; ) {
    const flag = flagAt(argv, at);
    if (flag === undefined) problems.push(strayWord(at));
    else flags.push(flag);
    at += flag?.words ?? 1;
  }
  const good = flags.filter((flag, at) => {
    const problem = problemOf(flag, flags.slice(0, at));
    if (problem !== undefined) problems.push(problem);
    return problem === undefined;
  });
  return {
    configFile: good.find(({ name }) => name === CONFIG_FLAG)?.value,
    assignments: good.flatMap(assignmentOf),
    problems,
  };
}

/**
 * Parts a command line into the flags that are configuration, each with its value, and everything else in its order.
 * `own` are flags of the command itself (without dashes), which win over keys of the same name.
 */
export function takeConfigFlags(
  argv: readonly string[],
  own: ReadonlySet<string> = new Set(),
): { flags: string[]; rest: string[] } {
  const flags: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < argv.length; ) {
    if (argv[at] === '--') return { flags, rest: [...rest, ...argv.slice(at)] };
    const flag = flagAt(argv, at);
    const ours = flag !== undefined && isKnown(flag) && !own.has(flag.name);
    const words = ours ? flag.words : 1;
    (ours ? flags : rest).push(...argv.slice(at, at + words));
    at += words;
  }
  return { flags, rest };
}

function isKnown({ name, named }: Flag): boolean {
  return named !== undefined || name === CONFIG_FLAG;
}

function flagAt(argv: readonly string[], at: number): Flag | undefined {
  const [, name, inline] = /^--([^=]+)(?:=([^]*))?$/.exec(argv[at] ?? '') ?? [];
  if (name === undefined) return undefined;
  const named = name === CONFIG_FLAG ? undefined : keyOfFlagName(name);
  if (inline !== undefined) return { name, named, value: inline, words: 1 };
  const next = argv[at + 1];
  const isSwitch = named?.key.kind === 'boolean';
  const takesNext = isSwitch
    ? next === 'true' || next === 'false'
    : next !== undefined && !next.startsWith('--');
  if (takesNext) return { name, named, value: next, words: 2 };
  return { name, named, value: isSwitch ? 'true' : undefined, words: 1 };
}

function assignmentOf({ name, named, value }: Flag): Assignment[] {
  if (named === undefined || value === undefined) return [];
  return [{ ...named, value: valueOfText(value, named.key), source: { name: `--${name}` } }];
}

function problemOf({ name, named, value }: Flag, before: readonly Flag[]): Problem | undefined {
  const source = `--${printable(name)}`;
  const complain = (expected: string, nearest?: string): Problem => {
    return { key: named?.path.join('.') ?? source, source, found: undefined, expected, nearest };
  };
  if (named === undefined && name !== CONFIG_FLAG)
    return complain('no key has this name', nearestFlagName(name));
  if (named?.key.secret === true) {
    return complain(
      'a secret is not for the command line, which every user of the machine can read; use the file or the environment',
    );
  }
  if (value === undefined) return complain('expected a value after it');
  const again = before.some(
    (other) => other.name === name || (named !== undefined && isSameKey(other.named, named)),
  );
  return again ? complain('expected once; it is given twice') : undefined;
}

function isSameKey(one: NamedKey | undefined, other: NamedKey): boolean {
  return one?.path.join('.') === other.path.join('.');
}

/** What the word is stays unsaid: it may be a secret that lost its flag. */
function strayWord(at: number): Problem {
  const name = `word ${at + 1} of the command line`;
  return {
    key: name,
    source: name,
    found: undefined,
    expected: 'expected a flag, like --listen=127.0.0.1:7400',
    nearest: undefined,
  };
}
