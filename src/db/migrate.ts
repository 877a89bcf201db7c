import type { Database } from 'bun:sqlite';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import { connect } from './open.ts';

interface Migration {
  tag: string;
  hash: string;
  createdAt: number;
  statements: readonly string[];
}

export interface MigrationState {
  /** Tags of the migrations that are still to run, oldest first. */
  pending: readonly string[];
  /** The newest migration this program knows. */
  newest: string;
}

const MIGRATIONS_TABLE = '__drizzle_migrations';
const BREAKPOINT = '--> statement-breakpoint';

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
 * @throws CommandError as `migrationState` does, or when a migration would leave a dangling reference.
 */
export function migrateDatabase(path: string, folder = migrationsFolder()): readonly string[] {
  const known = knownMigrations(folder);
  const client = connect(path);
  try {
    const pending = pendingOf(client, known);
    if (pending.length === 0) return [];
    // A table rebuild drops the parent: with foreign keys on, its cascades would empty the children.
    client.run('PRAGMA foreign_keys = OFF');
    const missing = known.filter(({ tag }) => pending.includes(tag));
    client.transaction(() => apply(client, missing)).immediate();
    return pending;
  } finally {
    client.close();
  }
}

/** All in the caller's transaction: a migration that fails, or leaves a dangling reference, leaves nothing behind. */
function apply(client: Database, migrations: readonly Migration[]): void {
  // The table is drizzle's, so that its tools understand our databases.
  client.run(
    `CREATE TABLE IF NOT EXISTS ${MIGRATIONS_TABLE} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
  );
  for (const { hash, createdAt, statements } of migrations) {
    for (const statement of statements) client.run(statement);
    client.run(`INSERT INTO ${MIGRATIONS_TABLE} (hash, created_at) VALUES (?, ?)`, [hash, createdAt]);
  }
  const dangling = client.query('PRAGMA foreign_key_check').all();
  if (dangling.length > 0) {
    throw new CommandError(
      `migrating would leave ${dangling.length} rows with dangling references; nothing was changed`,
    );
  }
}

function pendingOf(client: Database, known: readonly Migration[]): string[] {
  const applied = appliedHashes(client);
  const knownHashes = new Set(known.map(({ hash }) => hash));
  if ([...applied].some((hash) => !knownHashes.has(hash))) {
    throw new CommandError(
      'the database was written by a newer version of postern; run that version or restore a backup',
    );
  }
  const pending = known.filter(({ hash }) => !applied.has(hash));
  const lastApplied = known.findLastIndex(({ hash }) => applied.has(hash));
  const late = pending.find((migration) => known.indexOf(migration) < lastApplied);
  if (late !== undefined)
    throw new CommandError(`the database lacks migration ${late.tag} although it has later ones`);
  return pending.map(({ tag }) => tag);
}

function appliedHashes(client: Database): Set<string> {
  const table = client.query(`SELECT 1 FROM sqlite_master WHERE name = '${MIGRATIONS_TABLE}'`).get();
  if (table === null) return new Set();
  const rows = client.query<{ hash: string }, []>(`SELECT hash FROM ${MIGRATIONS_TABLE}`).all();
  return new Set(rows.map(({ hash }) => hash));
}

/** In the order of the journal, which is the order in which they run. */
function knownMigrations(folder: string): Migration[] {
  const journal = JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8')) as {
    entries: { tag: string; when: number }[];
  };
  return journal.entries.map(({ tag, when }) => {
    const text = readFileSync(join(folder, `${tag}.sql`), 'utf8');
    return {
      tag,
      hash: createHash('sha256').update(text).digest('hex'),
      createdAt: when,
      statements: text.split(BREAKPOINT),
    };
  });
}
