import { expect, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { lockDataDirectory } from '../../../src/db/lock.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('nobody else reads the database or its lock, even where the directory lets them in', async () => {
  const before = process.umask(0);
  try {
    const database = temporaryDatabase(new ManualClock());
    await using _open = database;
    const directory = database.directory;
    using _lock = lockDataDirectory(directory);
    const files = readdirSync(directory);
    expect(files).toContain('postern.db-wal');
    for (const name of files) expect([name, statSync(join(directory, name)).mode & 0o077]).toEqual([name, 0]);
  } finally {
    process.umask(before);
  }
});
