import { existsSync } from 'node:fs';
import { databasePath } from '../../db/files.ts';
import { lockDataDirectory } from '../../db/lock.ts';
import { migrateDatabase, migrationState } from '../../db/migrate.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';

export const migrate: CommandRun = async ({ io, args, loadConfig }) => {
  const { data_dir } = await loadConfig();
  const path = databasePath(data_dir);
  if (!existsSync(path))
    throw new CommandError(`there is no database in ${data_dir} yet; the server makes it when it starts`);
  const { pending, newest } = migrationState(path);
  if (pending.length === 0) {
    io.out(`the database is up to date (${newest})`);
    return;
  }
  if (args.has('check'))
    throw new CommandError(`the database lacks: ${pending.join(', ')}\nRun: postern migrate`);
  using _lock = lockDataDirectory(data_dir);
  for (const tag of migrateDatabase(path)) io.out(`migrated: ${tag}`);
};
