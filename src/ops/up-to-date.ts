import type { DataDirectoryLock } from '../db/lock.ts';
import { migrateDatabase, migrationState } from '../db/migrate.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';

export interface UpToDateDeps {
  /** Whether migrations may run without being asked for (`database.auto_migrate`). */
  mayMigrate: boolean;
  lock: Pick<DataDirectoryLock, 'mode' | 'alone'>;
  log: Logger;
}

/** @throws CommandError when the schema is old and may not be migrated, newer than this program, or others are at work on it. */
export function bringUpToDate(path: string, { mayMigrate, lock, log }: UpToDateDeps): void {
  // Who is alone finds out by migrating.
  if (lock.mode === 'exclusive' && mayMigrate) return migrate(path, log);
  const { pending, newest } = migrationState(path);
  if (pending.length === 0) return undefined;
  if (!mayMigrate) {
    throw new CommandError(
      `the database is not at schema ${newest}; run \`postern migrate\`, or set database.auto_migrate`,
    );
  }
  return lock.alone('the database has to be migrated, so every other node has to end first', () =>
    migrate(path, log),
  );
}

function migrate(path: string, log: Logger): void {
  for (const migration of migrateDatabase(path)) log.info('the database was migrated', { migration });
}
