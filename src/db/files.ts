import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';

/** The database in a data directory. */
export const databasePath = (dataDir: string) => join(dataDir, 'postern.db');

const OWNER_ONLY = 0o600;

/**
 * Makes a file that SQLite is about to open, for its owner alone, unless it is there. SQLite would leave the mode to the
 * umask, and gives the files beside it (`-wal`, `-shm`) the mode of the file itself. A file that may only be read SQLite
 * would open as well, and refuse every write.
 * @throws CommandError when this process may not write to it.
 */
export function makePrivately(path: string): void {
  try {
    if (existsSync(path)) accessSync(path, constants.W_OK);
    else closeSync(openSync(path, 'a', OWNER_ONLY));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = code === 'ENOSPC' ? 'the disk is full' : 'let the user that postern runs as write to it';
    throw new CommandError(`cannot write to ${path} (${code}): ${advice}`, 1, { cause: error });
  }
}
