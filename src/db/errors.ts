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
      cause: sqlite,
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

/** Result codes that say the file or the disk cannot be used now (https://www.sqlite.org/rescode.html). */
const OUTAGE_CODES = ['BUSY', 'LOCKED', 'FULL', 'READONLY', 'IOERR', 'CORRUPT', 'NOTADB', 'CANTOPEN', 'NOMEM', 'PROTOCOL', 'PERM'];

function isOutage(code: string): boolean {
  return OUTAGE_CODES.some((outage) => code === `SQLITE_${outage}` || code.startsWith(`SQLITE_${outage}_`));
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
