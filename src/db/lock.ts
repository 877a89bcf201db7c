import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import { isBusy } from './errors.ts';
import { makePrivately } from './files.ts';

/** Another process holds what this one needs; it may be about to let go. */
export class HeldByAnother extends CommandError {}

/** Another process holds the data directory. */
export class DataDirectoryInUse extends HeldByAnother {
  constructor(dataDir: string, options: { cause: unknown; because?: string | undefined }) {
    const { because, cause } = options;
    const why = because === undefined ? '' : `: ${because}`;
    super(`the data directory ${dataDir} is in use by another postern process${why}`, 1, { cause });
  }
}

export type LockMode = 'exclusive' | 'shared';

/** A data directory that this process has, alone or with others. */
export interface DataDirectoryLock extends Disposable {
  readonly mode: LockMode;
  /**
   * Runs what needs the directory alone. One that is shared is let go of for it and taken again after it.
   * @throws DataDirectoryInUse, which says `because`, when there are others.
   */
  alone(because: string, run: () => void): void;
}

/**
 * Takes the data directory for this process. The lock is the file lock of an open SQLite transaction, so any death frees it.
 * `shared` lets several processes hold it together, but never beside an exclusive one.
 * @throws DataDirectoryInUse when another process has it.
 */
export function lockDataDirectory(dataDir: string, mode: LockMode = 'exclusive'): DataDirectoryLock {
  let client = take(dataDir, mode);
  return {
    mode,
    alone(because, run) {
      if (mode === 'exclusive') return run();
      client.close();
      {
        using _alone = take(dataDir, 'exclusive', because);
        run();
      }
      client = take(dataDir, mode);
      return undefined;
    },
    [Symbol.dispose]: () => client.close(),
  };
}

function take(dataDir: string, mode: LockMode, because?: string): Database {
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
    throw new DataDirectoryInUse(dataDir, { cause: error, because });
  }
  return client;
}
