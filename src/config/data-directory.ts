import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';

const OWNER_ONLY = 0o700;
const OTHERS_WRITE = 0o002;
const NOT_OWNER = 0o077;

/**
 * Makes the data directory, readable by its owner alone, where there is none.
 * One that is there stays as it is: its mode may be the platform's doing (a volume, a group). When others can read it, a
 * warning says so; when anybody can write to it, it is refused, since anybody could then put a secret of theirs there.
 * @throws CommandError
 */
export function prepareDataDirectory(path: string, log: Pick<Logger, 'warn'>): void {
  const found = look(path) ?? make(path);
  if (found !== undefined) inspect(path, found, log);
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw failure(path, error);
  }
}

/** What is there all the same: another process may have made it in the same moment. */
function make(path: string): Stats | undefined {
  const parent = dirname(path);
  try {
    mkdirSync(parent, { recursive: true });
    mkdirSync(path, { mode: OWNER_ONLY });
    // Whatever the umask took away is needed.
    chmodSync(path, OWNER_ONLY);
    syncDirectory(parent);
    return undefined;
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code === 'EEXIST' ? look(path) : undefined;
    if (found !== undefined) return found;
    throw failure(path, error);
  }
}

function inspect(path: string, found: Stats, log: Pick<Logger, 'warn'>): void {
  if (!found.isDirectory()) throw new CommandError(`data_dir ${path} is not a directory`, 2);
  if ((found.mode & OTHERS_WRITE) !== 0) {
    throw new CommandError(
      `anybody can write to data_dir ${path}; take that away first: chmod 700 ${path}`,
      2,
    );
  }
  if ((found.mode & NOT_OWNER) === 0) return;
  log.warn('others can read the data directory; chmod 700 would keep it private', { data_dir: path });
}

function failure(path: string, error: unknown): CommandError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return new CommandError(`data_dir ${path} cannot be made (${code})`, 1, { cause: error });
}

/** Makes sure that the names in a directory outlive a power cut. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
