import { databasePath } from '../../db/files.ts';
import { readDatabase } from '../../db/open.ts';
import { systemClock } from '../../lib/clock.ts';
import { describeUnmoved, unmovedSessions } from '../../ops/unmoved-sessions.ts';
import { isReadable } from './database.ts';
import { type Check, findingsAbout } from './finding.ts';

/** Whether the sessions of browsers lie where this configuration looks for them. */
export const checkSessions: Check = ({ config: { data_dir, redis } }) => {
  const { ok, warn } = findingsAbout('sessions');
  const path = databasePath(data_dir);
  if (!isReadable(path)) return [];
  const isRedisOn = redis.url !== undefined;
  const unmoved = readDatabase(path, (reader) =>
    unmovedSessions(reader, { isRedisOn, now: systemClock.now() }),
  );
  if (unmoved !== undefined) return [warn(describeUnmoved(unmoved))];
  return isRedisOn ? [ok('those of browsers are in Redis')] : [];
};
