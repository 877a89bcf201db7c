import { CommandError } from '../lib/command-error.ts';
import { nearest } from '../lib/nearest.ts';
import type { FlagSpec, OperandSpec } from './command.ts';

/** What stood on the command line after the command's name, checked against its specification. */
export interface Arguments {
  /** The value of a flag, or `undefined` when it was not given. */
  value(flag: string): string | undefined;
  /** Every value of a flag that may stand several times, in their order. */
  values(flag: string): readonly string[];
  /** Whether a switch was given. */
  has(flag: string): boolean;
  /** The operand of that name. @throws when it was not given, which the specification of a required one rules out. */
  operand(name: string): string;
  optionalOperand(name: string): string | undefined;
  /** Every flag that was given, with its value, or the last of them; switches have none. */
  readonly flags: ReadonlyMap<string, string | undefined>;
}

/** The values of each flag that was given; a switch has `undefined` for one. */
type Given = Map<string, (string | undefined)[]>;

export interface ArgumentSpec {
  /** For messages. */
  command: string;
  flags: readonly FlagSpec[];
  operands: readonly OperandSpec[];
  /** Names the flag, dashes included, that was meant by a name without dashes that there is not. */
  nearestFlag?: (name: string) => string | undefined;
}

/** @throws CommandError, exit 2, for anything the specification does not know, naming the nearest thing it does. */
export function parseArguments(words: readonly string[], spec: ArgumentSpec): Arguments {
  const flags: Given = new Map();
  const operands: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') operands.push(...rest.splice(0));
    else if (word.startsWith('-') && word !== '-') takeFlag(word, rest, flags, spec);
    else operands.push(word);
  }
  return bind(flags, bindOperands(operands, spec));
}

function takeFlag(word: string, rest: string[], flags: Given, spec: ArgumentSpec): void {
  const [, name = '', inline] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
  const flag = word.startsWith('--') ? spec.flags.find((each) => each.name === name) : undefined;
  if (flag === undefined) throw unknownFlag(word.split('=')[0] ?? word, name, spec);
  const before = flags.get(name) ?? [];
  if (before.length > 0 && flag.repeats !== true) throw wrongUse(`--${name} is given twice`, spec);
  const value =
    flag.value === undefined ? switchValue(name, inline, spec) : flagValue(flag, inline, rest, spec);
  flags.set(name, [...before, value]);
}

function switchValue(name: string, inline: string | undefined, spec: ArgumentSpec): undefined {
  if (inline !== undefined) throw wrongUse(`--${name} takes no value`, spec);
  return undefined;
}

function flagValue(flag: FlagSpec, inline: string | undefined, rest: string[], spec: ArgumentSpec): string {
  const value = inline ?? rest.shift();
  if (value === undefined) throw wrongUse(`--${flag.name} needs a value: ${flag.value}`, spec);
  return value;
}

function bindOperands(given: readonly string[], spec: ArgumentSpec): Map<string, string> {
  const missing = spec.operands.find((operand, index) => !operand.optional && given[index] === undefined);
  if (missing !== undefined) throw wrongUse(`${missing.name} is missing`, spec);
  const surplus = given[spec.operands.length];
  if (surplus !== undefined) throw wrongUse(`there is nothing for "${surplus}" to mean`, spec);
  return new Map(spec.operands.flatMap(({ name }, index) => pairOf(name, given[index])));
}

const pairOf = (name: string, value: string | undefined): [string, string][] =>
  value === undefined ? [] : [[name, value]];

function bind(given: Given, operands: ReadonlyMap<string, string>): Arguments {
  const flags = new Map([...given].map(([name, values]) => [name, values.at(-1)]));
  return {
    flags,
    value: (flag) => flags.get(flag),
    values: (flag) => (given.get(flag) ?? []).filter((value) => value !== undefined),
    has: (flag) => flags.has(flag),
    optionalOperand: (name) => operands.get(name),
    operand(name) {
      const value = operands.get(name);
      if (value === undefined) throw new Error(`the command has no operand ${name}`);
      return value;
    },
  };
}

function unknownFlag(word: string, name: string, spec: ArgumentSpec): CommandError {
  const own = nearest(
    name,
    spec.flags.map((flag) => flag.name),
  );
  const meant = own === undefined ? spec.nearestFlag?.(name) : `--${own}`;
  return wrongUse(`there is no flag ${word}${meant === undefined ? '' : `; did you mean ${meant}?`}`, spec);
}

function wrongUse(complaint: string, { command }: ArgumentSpec): CommandError {
  return new CommandError(`${complaint}\nSee: postern help ${command}`, 2);
}
