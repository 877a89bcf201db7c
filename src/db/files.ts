import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

/** The database in a data directory. */
export const databasePath = (dataDir: string) => join(dataDir, 'postern.db');

const OWNER_ONLY = 0o600;

/**
 * Makes a file that SQLite is about to open, for its owner alone, unless it is there. SQLite would leave the mode to the
 * umask, and gives the files beside it (`-wal`, `-shm`) the mode of the file itself.
 */
export function makePrivately(path: string): void {
  closeSync(openSync(path, 'a', OWNER_ONLY));
}
