import { Database } from 'bun:sqlite';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { CommandError } from '../lib/command-error.ts';
import { connect } from './open.ts';

/**
 * A backup is one SQLite file: a consistent copy of the database, and a table with the other files that are kept.
 * That table is written last, so that a backup which was cut short is told from a whole one.
 */
export interface BackupContent {
  /** Epoch milliseconds. */
  createdAt: number;
  /** The version of the program that wrote it. */
  version: string;
  /** Small files beside the database, by their name in the data directory. */
  files: ReadonlyMap<string, Uint8Array>;
}

const TABLE = 'postern_backup';
const INFO_ROW = 'info';
const FILE_PREFIX = 'file:';

/**
 * Copies the database at `source` into the empty file at `target`, while others may be writing to it.
 * @throws CommandError when the copy is not sound.
 */
export function writeBackup(
  source: string,
  target: string,
  { createdAt, version, files }: BackupContent,
): void {
  copyDatabase(source, target);
  using copy = openExisting(target);
  requireSound(copy, 'the backup');
  copy.transaction(() => {
    copy.run(`CREATE TABLE ${TABLE} (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID`);
    const insert = copy.query(`INSERT INTO ${TABLE} (name, content) VALUES (?, ?)`);
    insert.run(INFO_ROW, Buffer.from(JSON.stringify({ createdAt, version })));
    for (const [name, content] of files) insert.run(`${FILE_PREFIX}${name}`, content);
  })();
  copy.close();
  syncFile(target);
}

/**
 * Copies the database at `source`, as it stands at one instant, into the empty file at `target`, which is then a single
 * file without traces of what was deleted.
 */
export function copyDatabase(source: string, target: string): void {
  using client = openExisting(source);
  client.query('VACUUM INTO ?').run(target);
}

/**
 * Takes what a backup holds beside the database out of the file at `path`, which from then on is a plain database.
 * @throws CommandError when it is not a backup, or not a sound one.
 */
export function takeFilesOut(path: string): BackupContent {
  using client = openExisting(path);
  try {
    const rows = client
      .query<{ name: string; content: Uint8Array }, []>(`SELECT name, content FROM ${TABLE}`)
      .all();
    requireSound(client, 'the backup');
    const content = toContent(rows);
    client.run(`DROP TABLE ${TABLE}`);
    return content;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError('this file is not a whole backup of postern', 1, { cause: error });
  }
}

/** What SQLite finds wrong with the database at `path`; nothing when it is sound. */
export function databaseFaults(path: string): string[] {
  using client = openExisting(path);
  return quickCheck(client);
}

/** Brings what the write-ahead log of the database at `path` holds into the file itself, where it is sound enough. */
export function mergeLog(path: string): void {
  try {
    using client = connect(path);
    client.run('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // A database too broken to open is moved with its log.
  }
}

/** Makes the file's content outlive a power cut. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Writable, although it only reads: otherwise SQLite could not clean up behind itself. */
function openExisting(path: string): Database {
  return new Database(path, { create: false, readwrite: true });
}

function requireSound(client: Database, what: string): void {
  const [fault] = quickCheck(client);
  if (fault !== undefined) throw new CommandError(`${what} is damaged: ${fault}`);
}

function quickCheck(client: Database): string[] {
  const rows = client.query<{ quick_check: string }, []>('PRAGMA quick_check(10)').all();
  return rows.map((row) => row.quick_check).filter((finding) => finding !== 'ok');
}

function toContent(rows: readonly { name: string; content: Uint8Array }[]): BackupContent {
  const info = rows.find(({ name }) => name === INFO_ROW);
  if (info === undefined) throw new CommandError('this file is not a whole backup of postern');
  const { createdAt, version } = JSON.parse(Buffer.from(info.content).toString('utf8')) as {
    createdAt: number;
    version: string;
  };
  const files = rows.filter(({ name }) => name.startsWith(FILE_PREFIX));
  return {
    createdAt,
    version,
    files: new Map(files.map(({ name, content }) => [name.slice(FILE_PREFIX.length), content])),
  };
}
