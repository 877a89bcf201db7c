import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './database.ts';

/** A directory whose disk is full on demand. */
export interface ScarceDisk extends Disposable {
  readonly path: string;
  /** From now on files cannot grow. */
  fill(pid: number): void;
  free(pid: number): void;
}

const SIZE = '24m';

/** A small file system of its own where this user may mount one. */
export function smallFileSystem(): ScarceDisk | undefined {
  const directory = temporaryDirectory();
  const mountPoint = join(directory.path, 'disk');
  mkdirSync(mountPoint);
  if (!succeeds('mount', '-t', 'tmpfs', '-o', `size=${SIZE}`, 'postern-test', mountPoint)) {
    directory[Symbol.dispose]();
    return undefined;
  }
  const ballast = join(mountPoint, 'ballast');
  return {
    path: mountPoint,
    fill: () => fillUp(ballast),
    free: () => rmSync(ballast),
    [Symbol.dispose]() {
      if (!succeeds('umount', mountPoint)) succeeds('umount', '--lazy', mountPoint);
      directory[Symbol.dispose]();
    },
  };
}

/** A limit on the size of files (`RLIMIT_FSIZE`), which any user can set and take back. */
export function limitedFiles(): ScarceDisk {
  const directory = temporaryDirectory();
  const limit = (pid: number, size: string) => {
    if (!succeeds('prlimit', '--pid', String(pid), `--fsize=${size}:unlimited`))
      throw new Error('prlimit failed');
  };
  return {
    path: directory.path,
    fill: (pid) => limit(pid, String(statSync(join(directory.path, 'postern-data', 'postern.db-wal')).size)),
    free: (pid) => limit(pid, 'unlimited'),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function fillUp(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (const size of [1 << 20, 1 << 12]) writeWhilePossible(file, new Uint8Array(size));
  } finally {
    closeSync(file);
  }
}

function writeWhilePossible(file: number, bytes: Uint8Array): void {
  try {
    while (writeSync(file, bytes) === bytes.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function succeeds(...command: string[]): boolean {
  return Bun.spawnSync(command, { stdio: ['ignore', 'ignore', 'ignore'] }).exitCode === 0;
}
