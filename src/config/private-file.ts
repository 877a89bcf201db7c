import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './data-directory.ts';

const OWNER_ONLY = 0o600;

/**
 * Puts a file there that its owner alone may read: complete and on the disk before it has its name, so that a power cut
 * leaves the old one or the new one. `settle` is what gives it its name, in the place of a rename.
 */
export function writePrivately(
  path: string,
  text: string,
  settle: (temporary: string, path: string) => void = renameSync,
): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    write(temporary, text);
    settle(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dirname(path));
}

function write(path: string, text: string): void {
  const file = openSync(path, 'wx', OWNER_ONLY);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
