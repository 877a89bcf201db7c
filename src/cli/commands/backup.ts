import { resolve } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { backUp } from '../../ops/backup.ts';
import type { CommandRun } from '../command.ts';
import { KEPT_FILES } from '../kept-files.ts';

export const backup: CommandRun = async ({ io, args, loadConfig }) => {
  const config = await loadConfig();
  const target = resolve(io.workingDir, args.operand('FILE'));
  const { bytes, files } = backUp(target, {
    dataDir: config.data_dir,
    keptFiles: KEPT_FILES,
    clock: systemClock,
  });
  io.out(`${target}: ${bytes} bytes, with the database${files.map((name) => ` and ${name}`).join('')}`);
  if (config.secret !== undefined)
    io.out('The secret of the configuration is not in it: keep the configuration too.');
};
