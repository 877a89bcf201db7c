import { classifyDatabaseError } from '../db/errors.ts';
import { AppError } from '../lib/app-error.ts';
import { CommandError } from '../lib/command-error.ts';
import { type Arguments, parseArguments } from './arguments.ts';
import type { CommandContext, CommandSpec } from './command.ts';
import { findCommand } from './find-command.ts';
import { helpFor } from './help.ts';
import type { Io } from './io.ts';

/** Runs one command line; resolves with its exit code: 0 done, 1 failed, 2 wrong use or configuration. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { command, rest } = findCommand(argv);
    if (asksForHelp(rest)) {
      io.out(helpFor(command.name.split(' ')));
      return 0;
    }
    const context = command.configured ? await configured(command, rest, io) : plain(command, rest, io);
    const perform = await command.load();
    await perform(context);
    return 0;
  } catch (error) {
    return complain(error, io);
  }
}

function plain(command: CommandSpec, words: readonly string[], io: Io): CommandContext {
  const loadConfig = () => Promise.reject(new Error(`${command.name} reads no configuration`));
  return { io, args: parse(command, words), loadConfig };
}

/** Reading the configuration is loaded only by commands that do. */
async function configured(command: CommandSpec, words: readonly string[], io: Io): Promise<CommandContext> {
  const [{ takeConfigFlags }, { nearestFlagName }] = await Promise.all([
    import('../config/flags.ts'),
    import('../config/names.ts'),
  ]);
  const own = new Set((command.flags ?? []).map(({ name }) => name));
  const { flags, rest } = takeConfigFlags(words, own);
  return {
    io,
    args: parse(command, rest, nearestFlagName),
    async loadConfig() {
      const { loadConfig } = await import('../config/config.ts');
      return loadConfig({ argv: flags, env: io.env, cwd: io.workingDir });
    },
  };
}

function parse(
  { name, flags = [], operands = [] }: CommandSpec,
  words: readonly string[],
  nearestFlag?: (name: string) => string | undefined,
): Arguments {
  return parseArguments(words, { command: name, flags, operands, ...(nearestFlag && { nearestFlag }) });
}

function asksForHelp(words: readonly string[]): boolean {
  const options = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  return options.includes('--help') || options.includes('-h');
}

function complain(error: unknown, io: Io): number {
  if (error instanceof CommandError) {
    io.err(`postern: ${error.message}\n`);
    return error.exitCode;
  }
  io.err(`postern: ${describe(classifyDatabaseError(error))}\n`);
  return 1;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `internal error: ${String(error)}`;
  // Of an outage its cause says it all, and what to do.
  if (error instanceof AppError && error.code === 'store_unavailable' && error.cause instanceof Error)
    return error.cause.message;
  if (error instanceof AppError)
    return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
  // What the disk or the database says is for the operator; anything else is a bug, whose report needs the stack.
  return isFromOutside(error) ? error.message : `internal error\n${error.stack ?? error.message}`;
}

/** Whether the system or SQLite reports it: their errors have both a code and a number. */
function isFromOutside(error: Error): boolean {
  return 'code' in error && 'errno' in error;
}
