import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeBackup } from '../db/backup.ts';
import { databasePath } from '../db/files.ts';
import { buildInfo } from '../lib/build-info.ts';
import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';

export interface BackupReport {
  /** Names of the files that went in beside the database. */
  files: readonly string[];
  bytes: number;
}

export interface BackupDeps {
  dataDir: string;
  /** Names of the files in it that go with the database. */
  keptFiles: readonly string[];
  clock: Clock;
}

/**
 * Writes everything in a data directory that a restore needs into one new file, mode 0600; a server may be running.
 * @throws CommandError when there is nothing to back up, or something at `target` already.
 */
export function backUp(target: string, { dataDir, keptFiles, clock }: BackupDeps): BackupReport {
  const source = databasePath(dataDir);
  if (!existsSync(source)) throw new CommandError(`there is no database in ${dataDir}`);
  const files = readFiles(dataDir, keptFiles);
  createPrivately(target);
  try {
    writeBackup(source, target, { createdAt: clock.now(), version: buildInfo.version, files });
  } catch (error) {
    rmSync(target, { force: true });
    throw error;
  }
  return { files: [...files.keys()], bytes: statSync(target).size };
}

function readFiles(dataDir: string, names: readonly string[]): Map<string, Uint8Array> {
  const present = names.filter((name) => existsSync(join(dataDir, name)));
  return new Map(present.map((name) => [name, readFileSync(join(dataDir, name))]));
}

/** Before anything is in it: afterwards would be too late for its mode. */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = exists ? 'there is something of that name already' : (error as Error).message;
    throw new CommandError(`cannot write ${path}: ${reason}`, 1, { cause: error });
  }
}
