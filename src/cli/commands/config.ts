import { printConfig } from '../../config/print.ts';
import type { CommandRun } from '../command.ts';

export const config: CommandRun = async ({ io, loadConfig }) => {
  io.out(printConfig(await loadConfig()).trimEnd());
};
