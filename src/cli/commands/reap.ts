import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';
import { perform } from '../perform.ts';
import { columns } from '../table.ts';

export const reap: CommandRun = async ({ io, loadConfig }) => {
  const report = await perform({ config: await loadConfig(), io }, 'reap', {});
  if (report.suspended) {
    throw new CommandError(
      'nothing is deleted for now: the clock has leapt, and rows that look expired may not be',
    );
  }
  const rows = Object.entries(report.deleted).map(([name, count]) => [name, String(count)]);
  for (const line of columns([['kind', 'deleted'], ...rows])) io.out(line);
};
