import { CommandError } from '../lib/command-error.ts';
import { nearest } from '../lib/nearest.ts';
import type { CommandSpec } from './command.ts';
import { COMMANDS, GROUPS } from './commands.ts';

export interface FoundCommand {
  command: CommandSpec;
  /** What follows its name. */
  rest: readonly string[];
}

const DEFAULT_COMMAND = 'serve';
/** Spellings that every program understands. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['--help', 'help'],
  ['-h', 'help'],
  ['--version', 'version'],
  ['-v', 'version'],
]);

/**
 * Splits a command line into the command and what follows; no command, or flags alone, mean `serve`.
 * @throws CommandError, exit 2, naming the nearest command when there is none of that name.
 */
export function findCommand(argv: readonly string[]): FoundCommand {
  const [first = DEFAULT_COMMAND, ...others] = argv;
  const word = ALIASES.get(first) ?? first;
  if (word.startsWith('-')) return { command: commandNamed(DEFAULT_COMMAND), rest: argv };
  const [second, ...rest] = others;
  if (!GROUPS.has(word)) {
    // A command may have others below it: `agent`, `agent status`.
    const below = COMMANDS.find(({ name }) => name === `${word} ${second}`);
    return below === undefined ? { command: commandNamed(word), rest: others } : { command: below, rest };
  }
  if (second === '--help' || second === '-h') return { command: commandNamed('help'), rest: [word] };
  if (second === undefined)
    throw new CommandError(`"${word}" says not what to do\nSee: postern help ${word}`, 2);
  return { command: commandNamed(`${word} ${second}`), rest };
}

/** @throws CommandError, exit 2. */
export function commandNamed(name: string): CommandSpec {
  const command = COMMANDS.find((each) => each.name === name);
  if (command !== undefined) return command;
  const meant = nearest(name, [...COMMANDS.map((each) => each.name), ...GROUPS.keys()]);
  const hint = meant === undefined ? 'See: postern help' : `Did you mean "${meant}"? See: postern help`;
  throw new CommandError(`there is no command "${name}"\n${hint}`, 2);
}
