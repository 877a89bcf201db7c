import { existsSync } from 'node:fs';
import { databaseFaults } from '../../db/backup.ts';
import { databasePath } from '../../db/files.ts';
import { migrationState } from '../../db/migrate.ts';
import { judgeClock } from '../../db/open.ts';
import { systemClock } from '../../lib/clock.ts';
import { instantText } from '../../lib/instant.ts';
import { type Check, findingsAbout } from './finding.ts';

/** No release of this program is older: a clock that shows less was never set. */
const OLDEST_POSSIBLE = Date.UTC(2025, 0, 1);

/** Whether the database is sound and up to date. */
export const checkDatabase: Check = ({ config: { data_dir, database } }) => {
  const { ok, warn, fail } = findingsAbout('database');
  const path = databasePath(data_dir);
  if (!existsSync(path)) return [warn('there is none yet; the server makes it when it starts')];
  try {
    const faults = databaseFaults(path);
    if (faults.length > 0) return [fail(`it is damaged, restore a backup: ${faults.join('; ')}`)];
    const { pending, newest } = migrationState(path);
    if (pending.length === 0) return [ok(`sound and up to date (${newest})`)];
    const lacks = `it lacks ${pending.join(', ')}`;
    return [
      database.auto_migrate
        ? warn(`${lacks}; the next start brings it up to date`)
        : fail(`${lacks}: postern migrate`),
    ];
  } catch (error) {
    return [fail(error instanceof Error ? error.message : String(error))];
  }
};

/** Whether the clock can be believed: sessions end by it. */
export const checkClock: Check = ({ config: { data_dir } }) => {
  const { ok, warn, fail } = findingsAbout('clock');
  const now = systemClock.now();
  if (now < OLDEST_POSSIBLE) return [fail(`it says ${instantText(now)}: is there no time server?`)];
  const path = databasePath(data_dir);
  if (!isReadable(path)) return [ok(instantText(now))];
  const judged = judgeClock(path, systemClock);
  if (judged.isBehind) {
    return [
      fail(
        `it says ${instantText(now)}, but the database has seen ${instantText(judged.now)}: nobody gets in`,
      ),
    ];
  }
  if (!judged.mayDelete)
    return [warn(`${instantText(now)} is far ahead of the last time the server ran; fine after a pause`)];
  return [ok(instantText(now))];
};

export function isReadable(path: string): boolean {
  try {
    return existsSync(path) && migrationState(path).pending.length === 0;
  } catch {
    return false;
  }
}
