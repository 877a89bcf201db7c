import { keyRing } from '../../src/lib/key-ring.ts';
import type { RedisConnections } from '../../src/redis/open.ts';
import type { RecognisedSession, SessionId } from '../../src/sessions/model.ts';
import { type SharedSessions, sessionsInRedis } from '../../src/sessions/open-redis.ts';
import { sessionStore } from '../../src/sessions/store.ts';
import type { SessionStore } from '../../src/sessions/store-contract.ts';
import type { UserId } from '../../src/users/model.ts';
import { TEST_SECRET, type TemporaryLedger, type TemporaryLedgerOptions, temporaryLedger } from './ledger.ts';
import { connectionsOf } from './redis-connections.ts';
import type { TestRedis } from './redis-server.ts';

export interface SharedStore extends TemporaryLedger {
  readonly store: SessionStore;
  readonly shared: SharedSessions;
  readonly redis: RedisConnections;
  /** What the process has in memory. */
  readonly memory: RecognisedSession[];
}

export interface SharedStoreOptions extends TemporaryLedgerOptions {
  readonly secrets?: readonly [Uint8Array, ...Uint8Array[]];
}

/** The store of sessions over a server that is running and a database of its own. */
export async function sharedStore(server: TestRedis, options: SharedStoreOptions = {}): Promise<SharedStore> {
  const t = temporaryLedger(options);
  const connections = await connectionsOf(server.toml());
  const memory: RecognisedSession[] = [];
  const shared = sessionsInRedis(connections.redis.commands)({
    db: t.db,
    ring: keyRing(options.secrets ?? [TEST_SECRET]),
    clock: t.clock,
    log: t.log,
    metrics: t.metrics,
    durable: sessionStore(t.db),
    memory: {
      find: (id: SessionId) => memory.find((session) => session.id === id),
      ofUser: (userId: UserId) => memory.filter((session) => session.userId === userId),
    },
  });
  return {
    ...t,
    store: shared.store,
    shared,
    redis: connections.redis,
    memory,
    async [Symbol.asyncDispose]() {
      connections[Symbol.dispose]();
      await t[Symbol.asyncDispose]();
    },
  };
}

/** Takes time from everything that Redis lets go of by itself, as if it had passed. */
export async function ageKeys(server: TestRedis, byMs: number): Promise<void> {
  const client = server.client();
  for (const key of await client.keys('*')) {
    const left = await client.pttl(key);
    if (left < 0) continue;
    if (left > byMs) await client.pexpire(key, left - byMs);
    else await client.del(key);
  }
}
