import type { Redis } from 'ioredis';
import { AppError } from '../lib/app-error.ts';
import { redisOutage } from '../redis/errors.ts';
import type { SessionPlace } from './moving.ts';
import type { HeldSessions } from './store-held-redis.ts';
import { credentialKey } from './store-scripts-redis.ts';
import type { HeldSession } from './store-values-redis.ts';

/** Redis, as a place that sessions leave or come to. */
export function redisPlace(redis: Redis, held: HeldSessions): SessionPlace {
  const take = async (one: HeldSession) => {
    const { session, hash } = one;
    try {
      await held.insert(session, hash);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'already_exists') throw error;
      await takeAgain(one);
    }
    return 'moved' as const;
  };

  /** What is there under its names is the session itself, from a run that was interrupted; or nothing of ours, and in the way. */
  const takeAgain = async ({ session, hash }: HeldSession) => {
    const there = await held.find(session.id);
    if (there?.hash === hash) return held.touch(new Map([[session.id, session.lastSeenAt]]));
    await held.remove([session.id]);
    await redis.del(credentialKey(hash)).catch((error: unknown) => Promise.reject(redisOutage(error)));
    return held.insert(session, hash);
  };

  return {
    async *batches() {
      // In no order: those that hang on another one are left for a second time through.
      for (const children of [false, true]) {
        for await (const page of held.all()) {
          const batch = page.filter(({ session }) => children || session.parentId === undefined);
          if (batch.length > 0) yield batch;
        }
      }
    },
    take: (batch) => Promise.all(batch.map(take)),
    async drop(ids) {
      await held.remove(ids);
    },
  };
}
