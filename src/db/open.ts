import { Database } from 'bun:sqlite';
import { existsSync } from 'node:fs';
import { type BunSQLiteDatabase, drizzle } from 'drizzle-orm/bun-sqlite';
import type { Clock } from '../lib/clock.ts';
import { makePrivately } from './files.ts';
import { trackStatements } from './statements.ts';
import { openTimeMark, type TimeMark } from './time-mark.ts';
import { groupCommit, type Tx } from './write.ts';

/** Stores name the tables they read: drizzle’s own map of them all would be drawn at every start. */
export type DrizzleDatabase = BunSQLiteDatabase & { $client: Database };

/** The durable store: one writer connection, `synchronous=FULL`, in WAL mode. */
export interface Db extends AsyncDisposable {
  /** For reads alone; prepare what is hot. */
  readonly reader: DrizzleDatabase;
  readonly timeMark: TimeMark;
  /**
   * Runs a synchronous callback in a transaction that it may share with others of this turn; resolves after COMMIT.
   * @throws AppError `conflict` for a broken unique constraint, `unavailable` when the database cannot take it.
   */
  write<T>(job: (tx: Tx) => T): Promise<T>;
}

export interface OpenDatabaseOptions {
  /** A file that `migrateDatabase` has brought up to date, or `:memory:` in tests of what needs no file. */
  path: string;
  clock: Clock;
  busyTimeoutMs?: number;
  /** Told of an `afterCommit` that threw; by default it is thrown again where nobody can catch it, for it is a bug. */
  onHookError?: (error: unknown) => void;
}

const DEFAULT_BUSY_TIMEOUT_MS = 5_000;
/** 16 MiB of page cache, in the KiB (negative) form of the pragma. */
const PAGE_CACHE_KIB = -16_384;
/**
 * What of the file is read through memory that the system shares and takes back: a session that is not in the cache is then
 * found in two thirds of the time. Writing goes through the file as ever.
 */
const MAPPED_BYTES = 1_073_741_824;
/** The commit that fills so many pages of the write-ahead log copies them: 1 MB takes 3 ms, SQLite's own 4 MB over 10. */
const CHECKPOINT_PAGES = 250;

/** Another process may be opening or closing the file, or clearing up behind one that died. */
const OPENING_MS = 2_000;

/** A mark that moved by less since it was written is not worth a write when the database is closed. */
const MARK_WORTH_WRITING_MS = 60_000;

export function openDatabase({
  path,
  clock,
  busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS,
  onHookError = throwUncaught,
}: OpenDatabaseOptions): Db {
  const client = connect(path);
  const statements = trackStatements(client);
  const reader: DrizzleDatabase = drizzle({ client });
  const timeMark = openTimeMark(reader, clock);
  const writer = groupCommit({
    database: reader,
    clock,
    beforeCommit: (tx) => timeMark.advance(tx),
    onHookError,
    busyTimeoutMs,
  });

  /** After a long rest the mark is far behind, and the next start would take the clock for one that leapt. */
  const writeMark = async () => {
    if (timeMark.unwrittenMs < MARK_WORTH_WRITING_MS) return;
    // A disk that takes nothing keeps nobody from stopping.
    await writer.write((tx) => timeMark.advance(tx)).catch(() => undefined);
  };
  const close = async () => {
    const marked = writeMark();
    await writer.close();
    await marked;
    statements.finalize();
    client.close();
    // A statement that nobody holds and that is not swept up yet keeps the connection, and with it the write-ahead log.
    if (existsSync(`${path}-wal`)) Bun.gc(true);
  };

  let closing: Promise<void> | undefined;
  return {
    reader,
    timeMark,
    write: (job) => writer.write(job),
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };
}

/** What the time mark of the database at `path` makes of `clock`. Nothing is written: a clock that is wrong must not move it. */
export function judgeClock(
  path: string,
  clock: Clock,
): { now: number; isBehind: boolean; mayDelete: boolean } {
  return readDatabase(path, (reader) => {
    const timeMark = openTimeMark(reader, clock);
    return { now: timeMark.now(), isBehind: timeMark.isBehind(), mayDelete: timeMark.mayDelete() };
  });
}

/** What `read` makes of the database at `path`, in which nothing is written. */
export function readDatabase<T>(path: string, read: (reader: DrizzleDatabase) => T): T {
  const client = connect(path);
  const statements = trackStatements(client);
  try {
    return read(drizzle({ client }));
  } finally {
    statements.finalize();
    client.close();
  }
}

function throwUncaught(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/** Opens the file with the pragmas every connection of ours has. */
export function connect(path: string): Database {
  if (path !== ':memory:') makePrivately(path);
  const client = new Database(path, { create: true, readwrite: true });
  client.run(`PRAGMA busy_timeout = ${OPENING_MS}`);
  client.run('PRAGMA journal_mode = WAL');
  client.run('PRAGMA synchronous = FULL');
  client.run('PRAGMA foreign_keys = ON');
  // Waiting inside SQLite would stop the event loop; `groupCommit` waits outside.
  client.run('PRAGMA busy_timeout = 0');
  client.run(`PRAGMA cache_size = ${PAGE_CACHE_KIB}`);
  client.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  client.run(`PRAGMA mmap_size = ${MAPPED_BYTES}`);
  return client;
}
