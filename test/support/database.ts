import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { type Db, openDatabase } from '../../src/db/open.ts';
import type { Clock } from '../../src/lib/clock.ts';

/** A new directory that is removed when disposed of. */
export function temporaryDirectory(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'postern-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TemporaryDatabase extends AsyncDisposable {
  db: Db;
  /** The database file. */
  path: string;
  directory: string;
}

/** A migrated database on real disk, closed and removed when disposed of. */
export function temporaryDatabase(clock: Clock): TemporaryDatabase {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'postern.db');
  migrateDatabase(path);
  const db = openDatabase({ path, clock });
  return {
    db,
    path,
    directory: directory.path,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}
