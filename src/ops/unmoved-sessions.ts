import type { Db } from '../db/open.ts';
import { movingStore } from '../sessions/store-moving.ts';

/** Live browser sessions that lie where this configuration does not look for them. */
export type Unmoved =
  | { readonly place: 'sqlite'; readonly count: number }
  /** Nobody counts them while Redis is off. */
  | { readonly place: 'redis' };

/** `now` in epoch milliseconds. `undefined`: none are known of. */
export function unmovedSessions(
  reader: Db['reader'],
  { isRedisOn, now }: { isRedisOn: boolean; now: number },
): Unmoved | undefined {
  const store = movingStore();
  if (!isRedisOn) return store.wereInRedis(reader) ? { place: 'redis' } : undefined;
  const count = store.count(reader, now);
  return count === 0 ? undefined : { place: 'sqlite', count };
}

/** What to do about it, for people. */
export function describeUnmoved(unmoved: Unmoved): string {
  if (unmoved.place === 'redis') {
    return 'Redis is off, and browser sessions may be left in it: whoever had one signs in again. To bring them back: stop the server, set redis.url again, run `postern session move --to sqlite`';
  }
  const { count } = unmoved;
  const sessions = count === 1 ? 'one browser session is' : `${count} browser sessions are`;
  return `${sessions} still in the database, and not good while Redis is on: stop the server, run \`postern session move --to redis\``;
}
