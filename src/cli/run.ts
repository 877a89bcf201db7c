import { AppError } from '../lib/app-error.ts';
import { CommandError } from '../lib/command-error.ts';
import { parseArguments } from './arguments.ts';
import type { CommandSpec } from './command.ts';
import { findCommand } from './find-command.ts';
import { flagsOf, helpFor } from './help.ts';
import type { Io } from './io.ts';

/** Runs one command line; resolves with its exit code: 0 done, 1 failed, 2 wrong use or configuration. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { command, rest } = findCommand(argv);
    if (asksForHelp(rest)) io.out(helpFor(command.name.split(' ')));
    else await runCommand(command, rest, io);
    return 0;
  } catch (error) {
    return complain(error, io);
  }
}

async function runCommand(command: CommandSpec, words: readonly string[], io: Io): Promise<void> {
  const args = parseArguments(words, {
    command: command.name,
    flags: flagsOf(command),
    operands: command.operands ?? [],
  });
  const perform = await command.load();
  await perform({ io, args });
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
  if (error instanceof AppError) {
    io.err(`postern: ${error.message}\n`);
    return 1;
  }
  // A bug: its stack is what a report needs.
  io.err(
    `postern: internal error\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}
