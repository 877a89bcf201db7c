import { resolve } from 'node:path';
import { prepareDataDirectory } from '../../config/data-directory.ts';
import { lockDataDirectory } from '../../db/lock.ts';
import { systemClock } from '../../lib/clock.ts';
import { instantText } from '../../lib/instant.ts';
import { restoreBackup } from '../../ops/restore.ts';
import type { CommandRun } from '../command.ts';
import { KEPT_FILES } from '../kept-files.ts';
import { commandLog } from '../log.ts';

export const restore: CommandRun = async ({ io, args, loadConfig }) => {
  const { data_dir } = await loadConfig();
  const file = resolve(io.workingDir, args.operand('FILE'));
  prepareDataDirectory(data_dir, commandLog(io));
  using _lock = lockDataDirectory(data_dir);
  const keepDevices = args.has('keep-devices');
  const { writtenAt, sessionsEnded, setAside } = await restoreBackup(
    file,
    { dataDir: data_dir, keptFiles: KEPT_FILES, clock: systemClock },
    { keepDevices },
  );
  io.out(`restored what was kept at ${instantText(writtenAt)} into ${data_dir}`);
  io.out(`${sessionsEnded} sessions were ended: everybody signs in again`);
  io.out(keepDevices ? 'devices stay paired' : 'devices are to be paired again');
  if (setAside !== undefined) io.out(`what was there before is in ${setAside}`);
};
