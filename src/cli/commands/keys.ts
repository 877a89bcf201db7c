import type { CommandContext, CommandRun } from '../command.ts';
import { perform } from '../perform.ts';
import { columns } from '../table.ts';

export const rotateKeys: CommandRun = async (context) => {
  const report = await perform(await target(context), 'keys.rotate', {});
  context.io.out('the secret is a new one; the one before it is kept');
  show(context, report);
};

export const resealKeys: CommandRun = async (context) =>
  show(context, await perform(await target(context), 'keys.reseal', {}));

const target = async ({ io, loadConfig }: CommandContext) => ({ io, config: await loadConfig() });

function show({ io }: CommandContext, report: Record<string, number>): void {
  const rows = Object.entries(report).map(([name, count]) => [name, String(count)]);
  for (const line of columns([['kind', 'sealed anew'], ...rows])) io.out(line);
}
