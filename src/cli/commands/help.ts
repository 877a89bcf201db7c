import type { CommandRun } from '../command.ts';
import { helpFor } from '../help.ts';

export const help: CommandRun = async ({ io, args }) => {
  const words = ['COMMAND', 'SUBCOMMAND'].map((name) => args.optionalOperand(name));
  io.out(helpFor(words.filter((word) => word !== undefined)));
};
