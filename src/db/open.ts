import { Database } from 'bun:sqlite';
import { type BunSQLiteDatabase, drizzle } from 'drizzle-orm/bun-sqlite';
import type { Clock } from '../lib/clock.ts';
import * as schema from './schema/index.ts';
import { makePrivately } from './files.ts';
import { type TimeMark, openTimeMark } from './time-mark.ts';
import { type Tx, groupCommit } from './write.ts';

export type DrizzleDatabase = BunSQLiteDatabase<typeof schema> & { $client: Database };

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
}

const DEFAULT_BUSY_TIMEOUT_MS = 5_000;
/** 16 MiB of page cache, in the KiB (negative) form of the pragma. */
const PAGE_CACHE_KIB = -16_384;

export function openDatabase({ path, clock, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS }: OpenDatabaseOptions): Db {
  const client = connect(path);
  const reader = drizzle({ client, schema }) as DrizzleDatabase;
  const timeMark = openTimeMark(reader, clock);
  const writer = groupCommit({ database: reader, clock, beforeJobs: timeMark.advance, busyTimeoutMs });
  let closing: Promise<void> | undefined;
  return {
    reader,
    timeMark,
    write: (job) => writer.write(job),
    [Symbol.asyncDispose]() {
      closing ??= writer.close().then(() => client.close());
      return closing;
    },
  };
}

/** Opens the file with the pragmas every connection of ours has. */
export function connect(path: string): Database {
  if (path !== ':memory:') makePrivately(path);
  const client = new Database(path, { create: true, readwrite: true });
  client.run('PRAGMA journal_mode = WAL');
  client.run('PRAGMA synchronous = FULL');
  client.run('PRAGMA foreign_keys = ON');
  // Waiting inside SQLite would stop the event loop; `groupCommit` waits outside.
  client.run('PRAGMA busy_timeout = 0');
  client.run(`PRAGMA cache_size = ${PAGE_CACHE_KIB}`);
  return client;
}
