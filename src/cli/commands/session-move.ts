import { existsSync } from 'node:fs';
import type { Config } from '../../config/schema.ts';
import { databasePath } from '../../db/files.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';
import { commandLog } from '../log.ts';

export const moveSessions: CommandRun = async ({ io, args, loadConfig }) => {
  const to = args.value('to');
  if (to !== 'redis' && to !== 'sqlite')
    throw new CommandError('say where they go: --to redis, or --to sqlite', 2);
  const config = await loadConfig();
  requirePlaces(config);
  const { moveBrowserSessions } = await import('../../ops/move-sessions.ts');
  const { moved, children, ended, forged } = await moveBrowserSessions(to, {
    config,
    clock: systemClock,
    log: commandLog(io),
  });
  const place = to === 'redis' ? 'Redis' : 'the database';
  io.out(
    `moved ${moved} ${moved === 1 ? 'session' : 'sessions'} to ${place}, ${children} of them on other hosts`,
  );
  if (ended > 0) io.out(`${ended} had ended meanwhile, and are gone`);
  if (forged > 0) io.out(`${forged} values in Redis are not from this appliance, and were left there`);
};

function requirePlaces({ redis, data_dir }: Config): void {
  if (redis.url === undefined) {
    throw new CommandError(
      'redis.url is not set: it is needed to move sessions there, and to get them back from there',
      2,
    );
  }
  if (!existsSync(databasePath(data_dir)))
    throw new CommandError(`there is no database in ${data_dir} yet, so that there are no sessions either`);
}
