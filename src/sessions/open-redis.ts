import type { Redis } from 'ioredis';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { guestLinkOf } from './audience.ts';
import type { DurableSessionStore } from './store.ts';
import type { SessionMemory, SessionStore } from './store-contract.ts';
import { type HeldSessions, heldSessions } from './store-held-redis.ts';
import { sharedSessionStore } from './store-redis.ts';
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
  readonly store: SessionStore;
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
    const held = heldSessions({ redis, values: sessionValues(ring), clock, onForged });
    const standing = standingStore(db, { isGuest: (session) => guestLinkOf(session) !== undefined });
    const store = sharedSessionStore({
      durable,
      standing,
      held,
      memory,
      countHeld: laterCount(held, clock),
      onLeftBehind: (error) =>
        log.warn('what was revoked is still in Redis, where nobody believes it', { error }),
    });
    return {
      store,
      held,
      async reapply(signal) {
        for (let last = 0; ; ) {
          const page = standing.tombstonesAfter(last, clock.now(), TOMBSTONES_AT_ONCE);
          if (page === undefined || signal?.aborted === true) return;
          await held.remove(page.ids);
          ({ last } = page);
        }
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
function laterCount(held: HeldSessions, clock: Clock): () => number {
  let counted = 0;
  let dueAt = 0;
  const renew = async () => {
    try {
      counted = await held.count();
    } catch {
      // The one before stands until Redis is back.
    }
  };
  const count = () => {
    dueAt = clock.monotonicNow() + COUNTED_EVERY_MS;
    void renew();
  };
  count();
  return () => {
    if (clock.monotonicNow() >= dueAt) count();
    return counted;
  };
}
