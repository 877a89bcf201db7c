import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import { isBusy } from './errors.ts';
import { makePrivately } from './files.ts';

/** Another process holds the data directory. */
export class DataDirectoryInUse extends CommandError {
  constructor(dataDir: string, options: { cause: unknown }) {
    super(`the data directory ${dataDir} is in use by another postern process`, 1, options);
  }
}

/**
 * Takes the data directory for this process. The lock is the file lock of an open SQLite transaction, so any death frees it.
 * `shared` lets several processes hold it together, but never beside an exclusive one.
 * @throws DataDirectoryInUse when another process has it.
 */
export function lockDataDirectory(dataDir: string, mode: 'exclusive' | 'shared' = 'exclusive'): Disposable {
  const path = join(dataDir, 'lock.db');
  makePrivately(path);
  const client = new Database(path, { create: true, readwrite: true });
  try {
    client.run('PRAGMA busy_timeout = 0');
    client.run('PRAGMA journal_mode = DELETE');
    if (mode === 'exclusive') {
      client.run('BEGIN EXCLUSIVE');
    } else {
      client.run('BEGIN');
      client.query('SELECT count(*) FROM sqlite_master').get();
    }
  } catch (error) {
    client.close();
    if (!isBusy(error)) throw error;
    throw new DataDirectoryInUse(dataDir, { cause: error });
  }
  return { [Symbol.dispose]: () => client.close() };
}
