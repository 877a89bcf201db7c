import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/bun-sqlite';
import { migrate } from 'drizzle-orm/bun-sqlite/migrator';
import { migrateDatabase, migrationState, migrationsFolder } from '../../../src/db/migrate.ts';
import { temporaryDirectory } from '../../support/database.ts';

const BREAK = '\n--> statement-breakpoint\n';
const CREATE = [
  'CREATE TABLE parents (id TEXT PRIMARY KEY)',
  'CREATE TABLE children (id TEXT, parent TEXT REFERENCES parents(id) ON DELETE CASCADE)',
].join(BREAK);
const REBUILD = [
  'CREATE TABLE new_parents (id TEXT PRIMARY KEY, name TEXT)',
  'INSERT INTO new_parents SELECT id, NULL FROM parents',
  'DROP TABLE parents',
  'ALTER TABLE new_parents RENAME TO parents',
].join(BREAK);

/** A folder of migrations as drizzle-kit leaves it, and a database beside it. */
function fixture() {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'test.db');
  let folders = 0;
  return {
    path,
    folder(migrations: Record<string, string>) {
      const folder = join(directory.path, `migrations-${folders++}`);
      mkdirSync(join(folder, 'meta'), { recursive: true });
      const entries = Object.keys(migrations).map((tag, idx) => ({
        idx,
        version: '6',
        when: Number(tag.slice(0, 4)),
        tag,
        breakpoints: true,
      }));
      writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify({ entries }));
      for (const [tag, text] of Object.entries(migrations)) writeFileSync(join(folder, `${tag}.sql`), text);
      return folder;
    },
    query(text: string) {
      using client = new Database(path);
      return client.query(text).values();
    },
    run(text: string) {
      using client = new Database(path);
      client.run(text);
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

describe('migrating', () => {
  test('runs what is missing, once, in order', () => {
    using t = fixture();
    const first = t.folder({ '1000_a': CREATE });
    const both = t.folder({ '1000_a': CREATE, '2000_b': REBUILD });
    expect(migrationState(t.path, both)).toEqual({ pending: ['1000_a', '2000_b'], newest: '2000_b' });
    expect(migrateDatabase(t.path, first)).toEqual(['1000_a']);
    expect(migrationState(t.path, both).pending).toEqual(['2000_b']);
    expect(migrateDatabase(t.path, both)).toEqual(['2000_b']);
    expect(migrateDatabase(t.path, both)).toEqual([]);
  });

  test('rebuilds a table without emptying those that refer to it', () => {
    using t = fixture();
    migrateDatabase(t.path, t.folder({ '1000_a': CREATE }));
    t.run(`INSERT INTO parents VALUES ('p')`);
    t.run(`INSERT INTO children VALUES ('c', 'p')`);
    migrateDatabase(t.path, t.folder({ '1000_a': CREATE, '2000_b': REBUILD }));
    expect(t.query('SELECT id, parent FROM children')).toEqual([['c', 'p']]);
    expect(t.query('SELECT id, name FROM parents')).toEqual([['p', null]]);
  });

  test('that would leave a dangling reference changes nothing, also the next time', () => {
    using t = fixture();
    migrateDatabase(t.path, t.folder({ '1000_a': CREATE }));
    t.run(`INSERT INTO parents VALUES ('p')`);
    t.run(`INSERT INTO children VALUES ('c', 'p')`);
    const losing = t.folder({ '1000_a': CREATE, '2000_b': 'DELETE FROM parents' });
    for (const _attempt of [1, 2]) {
      expect(() => migrateDatabase(t.path, losing)).toThrow('dangling');
      expect(t.query('SELECT count(*) FROM parents')).toEqual([[1]]);
    }
    expect(migrationState(t.path, losing).pending).toEqual(['2000_b']);
  });

  test('that fails half-way changes nothing', () => {
    using t = fixture();
    const broken = t.folder({ '1000_a': `${CREATE}${BREAK}NOT SQL` });
    expect(() => migrateDatabase(t.path, broken)).toThrow();
    expect(t.query('SELECT name FROM sqlite_master')).toEqual([]);
  });

  test('refuses a database of a newer version', () => {
    using t = fixture();
    migrateDatabase(t.path, t.folder({ '1000_a': CREATE, '2000_b': REBUILD }));
    const older = t.folder({ '1000_a': CREATE });
    expect(() => migrateDatabase(t.path, older)).toThrow('newer version');
    expect(() => migrationState(t.path, older)).toThrow('newer version');
  });

  test('refuses a database that lacks one from before its newest', () => {
    using t = fixture();
    migrateDatabase(t.path, t.folder({ '1000_a': CREATE, '3000_c': 'CREATE TABLE c (id)' }));
    const late = { '1000_a': CREATE, '2000_b': 'CREATE TABLE b (id)', '3000_c': 'CREATE TABLE c (id)' };
    expect(() => migrateDatabase(t.path, t.folder(late))).toThrow('lacks migration 2000_b');
  });

  test('leaves the record that drizzle would', () => {
    using ours = fixture();
    using theirs = fixture();
    migrateDatabase(ours.path);
    using client = new Database(theirs.path, { create: true });
    migrate(drizzle({ client }), { migrationsFolder: migrationsFolder() });
    const records = 'SELECT * FROM __drizzle_migrations';
    const schema =
      'SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE ? ORDER BY name';
    expect(ours.query(records)).toEqual(theirs.query(records));
    using mine = new Database(ours.path);
    expect(mine.query(schema).values('__drizzle%')).toEqual(client.query(schema).values('__drizzle%'));
    expect(migrateDatabase(theirs.path)).toEqual([]);
  });
});
