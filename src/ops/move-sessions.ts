import type { Config } from '../config/schema.ts';
import { loadKeyRing } from '../config/secrets.ts';
import { databasePath } from '../db/files.ts';
import { DataDirectoryInUse, type DataDirectoryLock, lockDataDirectory } from '../db/lock.ts';
import { openDatabase } from '../db/open.ts';
import { markedClock } from '../db/time-mark.ts';
import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';
import { createMetrics } from '../lib/metrics.ts';
import { openRedis } from '../redis/open.ts';
import { databasePlace, type MoveReport, moveSessions } from '../sessions/moving.ts';
import { redisPlace } from '../sessions/moving-redis.ts';
import { readSessionsEpoch } from '../sessions/store-epoch.ts';
import { heldSessions } from '../sessions/store-held-redis.ts';
import { movingStore } from '../sessions/store-moving.ts';
import { sessionValues } from '../sessions/store-values-redis.ts';
import { bringUpToDate } from './up-to-date.ts';

export interface MovingDeps {
  config: Config;
  clock: Clock;
  log: Logger;
}

export type BrowserSessionMove = MoveReport & {
  /** Values in Redis that this appliance did not write, and that were left there. */
  readonly forged: number;
};

/**
 * Takes live browser sessions from the database to Redis, or back, so that turning Redis on or off signs nobody out. No server
 * runs meanwhile: it would use one store while its sessions are on their way to the other.
 * @throws CommandError while somebody uses the data directory, or when the database or Redis cannot be used; AppError `unavailable` when one of them
 * goes away; what was moved until then stays moved.
 */
export async function moveBrowserSessions(
  to: 'redis' | 'sqlite',
  { config, clock: wallClock, log }: MovingDeps,
): Promise<BrowserSessionMove> {
  using lock = takeAlone(config.data_dir);
  const path = databasePath(config.data_dir);
  bringUpToDate(path, { mayMigrate: config.database.auto_migrate, lock, log });
  using redis = await openRedis(config.redis, { clock: wallClock, log, metrics: createMetrics() });
  await using db = openDatabase({ path, clock: wallClock });
  const clock = markedClock(wallClock, db.timeMark);
  const forged = new Set<string>();
  const held = heldSessions({
    redis: redis.commands,
    values: sessionValues(loadKeyRing({ config, log }), readSessionsEpoch(db.reader)),
    clock,
    onForged: (id) => void forged.add(id),
  });
  const [here, there] = [databasePlace({ db, clock }), redisPlace(redis.commands, held)];
  const store = movingStore();
  // From the first on, some are there.
  if (to === 'redis') await db.write((tx) => store.markInRedis(tx));
  const report = to === 'redis' ? await moveSessions(here, there) : await moveSessions(there, here);
  if (to === 'sqlite') await db.write((tx) => store.clearInRedis(tx));
  return { ...report, forged: forged.size };
}

function takeAlone(dataDir: string): DataDirectoryLock {
  try {
    return lockDataDirectory(dataDir);
  } catch (error) {
    if (!(error instanceof DataDirectoryInUse)) throw error;
    throw new CommandError(`${error.message}: end every server before sessions are moved`, 1, {
      cause: error,
    });
  }
}
