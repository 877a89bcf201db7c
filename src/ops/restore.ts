import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { auditStore } from '../audit/store.ts';
import { syncDirectory } from '../config/data-directory.ts';
import { copyDatabase, mergeLog, syncFile, takeFilesOut } from '../db/backup.ts';
import { databasePath } from '../db/files.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { openDatabase } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import { instantText } from '../lib/instant.ts';
import type { BackupDeps } from './backup.ts';
import { endEverything, type RestoreTerms } from './store-restored.ts';

export interface RestoreReport {
  /** When the backup was written, epoch milliseconds. */
  writtenAt: number;
  sessionsEnded: number;
  /** Where what was there before has gone; absent when there was nothing. */
  setAside: string | undefined;
  files: readonly string[];
}

/**
 * Puts a backup in place of what a data directory holds. The caller holds the directory's lock.
 * Everything is made ready beside the old files first; until the last rename they stay what a start would find.
 * @throws CommandError when the file is no sound backup, or one of a newer version; nothing has changed then.
 */
export async function restoreBackup(
  file: string,
  { dataDir, keptFiles, clock }: BackupDeps,
  terms: RestoreTerms = { keepDevices: false },
): Promise<RestoreReport> {
  const draft = join(dataDir, 'restoring.db');
  const fresh = join(dataDir, 'restored.db');
  removeDatabase(draft, fresh);
  try {
    copyPrivately(file, draft);
    const { createdAt, files } = takeFilesOut(draft);
    const sessionsEnded = await endAccess(draft, clock, terms);
    // A copy: what this process still holds of the draft, and its log, must not become the database's.
    createPrivately(fresh);
    copyDatabase(draft, fresh);
    syncFile(fresh);
    const setAside = setAsideOld({ dataDir, keptFiles, clock });
    const kept = [...files].filter(([name]) => keptFiles.includes(name));
    for (const [name, content] of kept) replaceFile(join(dataDir, name), content);
    renameSync(fresh, databasePath(dataDir));
    syncDirectory(dataDir);
    return { writtenAt: createdAt, sessionsEnded, setAside, files: kept.map(([name]) => name) };
  } finally {
    removeDatabase(draft, fresh);
  }
}

function createPrivately(path: string): void {
  closeSync(openSync(path, 'wx', 0o600));
}

function copyPrivately(from: string, to: string): void {
  createPrivately(to);
  try {
    copyFileSync(from, to);
  } catch (error) {
    throw new CommandError(`cannot read ${from}: ${(error as Error).message}`, 1, { cause: error });
  }
}

/** Brings the copy up to date and ends what it would let in. */
async function endAccess(path: string, clock: Clock, terms: RestoreTerms): Promise<number> {
  migrateDatabase(path);
  await using db = openDatabase({ path, clock });
  const audit = auditStore(db);
  return db.write((tx) => {
    const now = db.timeMark.now();
    const ended = endEverything(tx, now, terms);
    audit.insert(tx, {
      at: now,
      action: 'restored',
      outcome: 'success',
      detail: { sessions: ended, kept_devices: terms.keepDevices },
    });
    return ended;
  });
}

/** A second name for the old files, so that the ones in place go only by being replaced. */
function setAsideOld({ dataDir, keptFiles, clock }: BackupDeps): string | undefined {
  const database = databasePath(dataDir);
  if (!existsSync(database)) return undefined;
  mergeLog(database);
  const aside = join(dataDir, `before-restore-${compactTime(clock.now())}`);
  mkdirSync(aside, { mode: 0o700 });
  for (const name of [basename(database), ...keptFiles]) {
    if (existsSync(join(dataDir, name))) linkOrCopy(join(dataDir, name), join(aside, name));
  }
  // A log that could not be merged belongs to the old file alone: beside the new one it would be played into it.
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(database + suffix))
      renameSync(database + suffix, join(aside, basename(database) + suffix));
  }
  return aside;
}

/** `20300101T000000Z`. */
const compactTime = (at: number) => instantText(at).replaceAll(/[-:]|\.\d+/g, '');

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Some file systems have one name for each file.
    copyFileSync(from, to);
  }
}

function replaceFile(path: string, content: Uint8Array): void {
  const fresh = `${path}.restoring`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, content, { mode: 0o600, flag: 'wx', flush: true });
  renameSync(fresh, path);
}

function removeDatabase(...paths: readonly string[]): void {
  const suffixes = ['', '-wal', '-shm', '-journal'];
  for (const path of paths.flatMap((each) => suffixes.map((suffix) => each + suffix)))
    rmSync(path, { force: true });
}
