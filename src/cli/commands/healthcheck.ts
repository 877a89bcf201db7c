import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';
import { askHealth, healthUrl } from '../health.ts';

export const healthcheck: CommandRun = async ({ io, loadConfig }) => {
  const url = healthUrl(await loadConfig());
  const status = await askHealth(url);
  if (status !== 200) throw new CommandError(`${url} answers ${status}`);
  io.out('healthy');
};
