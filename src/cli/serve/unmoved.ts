import type { Db } from '../../db/open.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { describeUnmoved, unmovedSessions } from '../../ops/unmoved-sessions.ts';
import { movingStore } from '../../sessions/store-moving.ts';

export interface UnmovedDeps {
  db: Db;
  clock: Clock;
  isRedisOn: boolean;
  log: Logger;
}

/**
 * Says at the start where browser sessions lie of which this configuration knows nothing, and keeps in mind that there are some
 * in Redis: once it is off, that is said a single time, for they are replaced by new ones.
 */
export async function noteUnmovedSessions({ db, clock, isRedisOn, log }: UnmovedDeps): Promise<void> {
  const store = movingStore();
  const unmoved = unmovedSessions(db.reader, { isRedisOn, now: clock.now() });
  if (unmoved !== undefined) log.warn(describeUnmoved(unmoved));
  if (isRedisOn === store.wereInRedis(db.reader)) return;
  try {
    await db.write((tx) => (isRedisOn ? store.markInRedis(tx) : store.clearInRedis(tx)));
  } catch (error) {
    log.warn('where browser sessions are kept could not be written down', { error });
  }
}
