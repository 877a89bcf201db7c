import type { CommandRun } from '../command.ts';
import { perform } from '../perform.ts';
import { columns } from '../table.ts';

export const rotate: CommandRun = async ({ io, loadConfig }) => {
  const report = await perform({ config: await loadConfig(), io }, 'rotate', {});
  const rows = Object.entries(report).map(([what, count]) => [what, String(count)]);
  for (const line of columns([['linked accounts', 'count'], ...rows])) io.out(line);
};
