import type { Redis } from 'ioredis';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { groupsOf, isGuest } from './groups.ts';
import type { DurableSessionStore } from './store.ts';
import type { SessionMemory } from './store-contract.ts';
import { readSessionsEpoch } from './store-epoch.ts';
import { type HeldSessions, heldSessions } from './store-held-redis.ts';
import { type SharedSessionStore, sharedSessionStore } from './store-redis.ts';
import { standingStore } from './store-standing.ts';
import { sessionValues } from './store-values-redis.ts';

export interface SharedSessionsParts {
  db: Db;
  ring: KeyRing;
  /** Judges by the time mark. */
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  durable: DurableSessionStore;
  memory: SessionMemory;
}

/** Browser sessions in Redis. */
export interface SharedSessions {
  readonly store: SharedSessionStore;
  readonly held: HeldSessions;
  /**
   * Takes what was revoked from Redis again, which may have come back with an older copy of it.
   * Rejects with AppError `unavailable` where Redis is away.
   */
  reapply(signal?: AbortSignal): Promise<void>;
}

export type OpenSharedSessions = (parts: SharedSessionsParts) => SharedSessions;

const TOMBSTONES_AT_ONCE = 500;
const FORGED_LOGGED_EVERY_MS = 60_000;
const COUNTED_EVERY_MS = 10_000;

/** For `openLedger`: keeps browser sessions where `redis` leads. */
export const sessionsInRedis =
  (redis: Redis): OpenSharedSessions =>
  ({ db, ring, clock, log, metrics, durable, memory }) => {
    const onForged = forgedValues(metrics, log, clock);
    const held = heldSessions({
      redis,
      values: sessionValues(ring, readSessionsEpoch(db.reader)),
      clock,
      onForged,
    });
    const count = heldCount(held, clock);
    const lost = metrics.counter(
      'postern_redis_lost_sessions_total',
      'Browser sessions that Redis no longer had when it was back, roughly.',
    );
    const standing = standingStore(db, { isGuest, groupsOf });
    const store = sharedSessionStore({
      durable,
      standing,
      held,
      memory,
      countHeld: () => count.last(),
      onLeftBehind: (error) =>
        log.warn('what was revoked is still in Redis, where nobody believes it', { error }),
    });
    return {
      store,
      held,
      async reapply(signal) {
        for (let last = 0; ; ) {
          const page = standing.tombstonesAfter(last, clock.now(), TOMBSTONES_AT_ONCE);
          if (page === undefined || signal?.aborted === true) break;
          await held.remove(page.ids);
          ({ last } = page);
        }
        lost.inc(await count.missing());
      },
    };
  };

/** Whoever can write to Redis can write any number of them: each is counted, and now and then one is told of. */
function forgedValues(metrics: Metrics, log: Logger, clock: Clock): (id: string) => void {
  const refused = metrics.counter(
    'postern_redis_refused_values_total',
    'Session values in Redis that this appliance did not write.',
  );
  let nextAt = 0;
  return (session) => {
    refused.inc();
    const now = clock.monotonicNow();
    if (now < nextAt) return;
    nextAt = now + FORGED_LOGGED_EVERY_MS;
    log.warn('a session value in Redis was not written by this appliance, and is taken for absent', {
      session,
    });
  };
}

/** Counting asks Redis: who asks for the count gets the last one, and sets off the next. */
function heldCount(held: HeldSessions, clock: Clock) {
  let counted = 0;
  let dueAt = 0;
  const count = async () => {
    dueAt = clock.monotonicNow() + COUNTED_EVERY_MS;
    counted = await held.count();
  };
  const renew = () => {
    // While Redis is away the count before stands.
    if (clock.monotonicNow() >= dueAt) void count().catch(() => undefined);
  };
  renew();
  return {
    last() {
      renew();
      return counted;
    },
    /** How many fewer there are than were counted last. */
    async missing(): Promise<number> {
      const before = counted;
      await count();
      return Math.max(0, before - counted);
    },
  };
}
