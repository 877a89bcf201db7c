import { SQLiteError } from 'bun:sqlite';
import { AppError } from '../lib/app-error.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * Turns what SQLite reports into what a caller should hear: a broken constraint is a conflict, and a database that is
 * busy, full, read-only or broken is an outage. Anything else is returned as it is, for it is a bug.
 * The raw text stays behind as `cause`, for the log alone.
 */
export function classifyDatabaseError(error: unknown): unknown {
  const sqlite = findSqliteError(error);
  if (sqlite === undefined) return error;
  const code = sqlite.code ?? '';
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return new AppError('conflict', 'already_exists', 'This exists already.', { cause: sqlite });
  }
  if (isOutage(code)) {
    return new AppError('unavailable', 'store_unavailable', 'The database cannot take this right now.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: new Error(`${sqlite.message}: ${adviceFor(code)}`, { cause: sqlite }),
    });
  }
  return error;
}

/** Runs a read; what it throws is classified. */
export function readOrOutage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw classifyDatabaseError(error);
  }
}

/** Result codes that say the file or the disk cannot be used now (https://www.sqlite.org/rescode.html), and what to do. */
const OUTAGE_ADVICE: Readonly<Record<string, string>> = {
  FULL: 'free some space on the disk of the data directory',
  READONLY:
    'let the user that postern runs as write to the data directory and everything in it, then start it again',
  PERM: 'let the user that postern runs as write to the data directory and everything in it, then start it again',
  CANTOPEN: 'look whether the data directory is still there, and whose it is',
  IOERR: 'look at the disk of the data directory, at limits on file sizes, and at the log of the system',
  BUSY: 'another program holds the database; end it',
  LOCKED: 'another program holds the database; end it',
  PROTOCOL: 'another program holds the database; end it',
  CORRUPT: 'the database is damaged; run `postern doctor`, and restore a backup',
  NOTADB: 'the database is damaged; run `postern doctor`, and restore a backup',
  NOMEM: 'the machine is out of memory',
};

/** What an operator can do about it. */
function adviceFor(code: string): string {
  return outageOf(code)?.[1] ?? '';
}

function isOutage(code: string): boolean {
  return outageOf(code) !== undefined;
}

function outageOf(code: string) {
  return Object.entries(OUTAGE_ADVICE).find(
    ([outage]) => code === `SQLITE_${outage}` || code.startsWith(`SQLITE_${outage}_`),
  );
}

export function isBusy(error: unknown): boolean {
  const code = findSqliteError(error)?.code ?? '';
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED');
}

/** Drizzle wraps what the driver throws, as `cause`. */
function findSqliteError(error: unknown): SQLiteError | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof SQLiteError) return each;
  }
  return undefined;
}
