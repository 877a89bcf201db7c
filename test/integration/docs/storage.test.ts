import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { migrateDatabase } from '../../../src/db/migrate.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { page, tableNames } from '../../support/documentation.ts';
import { PROGRAMS, workplace } from '../../support/program.ts';

const STORAGE = page('docs/storage.md');
const [program] = PROGRAMS;

test('every file of the data directory is described, and is for its owner alone', async () => {
  await using place = workplace(program?.[1] ?? []);
  await using server = await place.serve();
  const described = tableNames(STORAGE, 'The data directory');
  const names = readdirSync(place.dataDir);
  expect(names).toContain('setup-link');
  expect(names.filter((name) => !described.includes(name))).toEqual([]);
  const open = names.filter((name) => (statSync(join(place.dataDir, name)).mode & 0o077) !== 0);
  expect(open).toEqual([]);
  server.signal('SIGTERM');
  await server.finished;
});

test('every table of the database is described, and no other', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'postern.db');
  migrateDatabase(path);
  using database = new Database(path);
  const rows = database
    .query<{ name: string }, []>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    )
    .all();
  const tables = rows.map(({ name }) => name).toSorted();
  expect(tableNames(STORAGE, 'The tables').toSorted()).toEqual(tables);
});
