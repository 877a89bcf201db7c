import { existsSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Database } from 'bun:sqlite';
import { drizzle } from 'drizzle-orm/bun-sqlite';
import { migrate } from 'drizzle-orm/bun-sqlite/migrator';
import { CommandError } from '../lib/command-error.ts';
import { connect } from './open.ts';

interface Migration {
  tag: string;
  hash: string;
  createdAt: number;
}

export interface MigrationState {
  /** Tags of the migrations that are still to run, oldest first. */
  pending: readonly string[];
  /** The newest migration this program knows. */
  newest: string;
}

/** Where the embedded migrations are: beside the entry point of the compiled file, else at the top of the project. */
export function migrationsFolder(): string {
  return Bun.isStandaloneExecutable
    ? join(Bun.main, '..', 'drizzle')
    : join(import.meta.dir, '..', '..', 'drizzle');
}

/**
 * What the database at `path` still lacks.
 * @throws CommandError when the database is newer than this program, or lacks a migration older than its newest.
 */
export function migrationState(path: string, folder = migrationsFolder()): MigrationState {
  const known = knownMigrations(folder);
  const newest = known.at(-1)?.tag ?? 'none';
  if (path !== ':memory:' && !existsSync(path)) return { pending: known.map(({ tag }) => tag), newest };
  const client = connect(path);
  try {
    return { pending: pendingOf(client, known), newest };
  } finally {
    client.close();
  }
}

/**
 * Brings the database at `path` up to date; returns the tags that ran.
 * @throws CommandError as `migrationState` does, or when a migration leaves a dangling reference.
 */
export function migrateDatabase(path: string, folder = migrationsFolder()): readonly string[] {
  const known = knownMigrations(folder);
  const client = connect(path);
  try {
    const pending = pendingOf(client, known);
    if (pending.length === 0) return [];
    // A table rebuild drops the parent: with foreign keys on, its cascades would empty the children.
    client.run('PRAGMA foreign_keys = OFF');
    migrate(drizzle({ client }), { migrationsFolder: folder });
    const dangling = client.query('PRAGMA foreign_key_check').all();
    if (dangling.length > 0) {
      throw new CommandError(`the migration left ${dangling.length} rows with dangling references; restore the backup`);
    }
    return pending;
  } finally {
    client.close();
  }
}

function pendingOf(client: Database, known: readonly Migration[]): string[] {
  const applied = appliedHashes(client);
  const knownHashes = new Set(known.map(({ hash }) => hash));
  if ([...applied].some((hash) => !knownHashes.has(hash))) {
    throw new CommandError('the database was written by a newer version of postern; run that version or restore a backup');
  }
  const pending = known.filter(({ hash }) => !applied.has(hash));
  const lastApplied = known.findLastIndex(({ hash }) => applied.has(hash));
  const late = pending.find((migration) => known.indexOf(migration) < lastApplied);
  if (late !== undefined) throw new CommandError(`the database lacks migration ${late.tag} although it has later ones`);
  return pending.map(({ tag }) => tag);
}

function appliedHashes(client: Database): Set<string> {
  const table = client.query(`SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'`).get();
  if (table === null) return new Set();
  const rows = client.query<{ hash: string }, []>('SELECT hash FROM __drizzle_migrations').all();
  return new Set(rows.map(({ hash }) => hash));
}

/** drizzle runs what is newer than the newest that ran, so the journal has to be in the order of its times. */
function knownMigrations(folder: string): Migration[] {
  const journal = JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8')) as {
    entries: { tag: string; when: number }[];
  };
  return journal.entries.map(({ tag, when }) => ({
    tag,
    hash: createHash('sha256').update(readFileSync(join(folder, `${tag}.sql`), 'utf8')).digest('hex'),
    createdAt: when,
  }));
}
