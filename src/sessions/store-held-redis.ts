import type { Redis } from 'ioredis';
import { AppError } from '../lib/app-error.ts';
import { inChunks } from '../lib/chunks.ts';
import type { Clock } from '../lib/clock.ts';
import { redisOutage } from '../redis/errors.ts';
import { scriptRunner } from '../redis/script.ts';
import type { UserId } from '../users/model.ts';
import { type Session, type SessionId, sessionEndsAt, type TokenHash } from './model.ts';
import {
  ALL_SESSIONS,
  childrenKey,
  credentialKey,
  FIND,
  INSERT,
  providerSidKey,
  READ,
  REMOVE,
  sessionKey,
  TOUCH,
  TREE,
  userKey,
} from './store-scripts-redis.ts';
import {
  type HeldSession,
  providerSidDigest,
  type SessionValues,
  type StoredFields,
} from './store-values-redis.ts';

export interface HeldSessionsDeps {
  redis: Redis;
  values: SessionValues;
  clock: Clock;
  /** Told of a value that this appliance did not write. */
  onForged: (id: string) => void;
}

/** What one step of Redis reads or takes away at most: the others wait meanwhile. */
const AT_ONCE = 500;

export type HeldSessions = ReturnType<typeof heldSessions>;

/**
 * The browser sessions in Redis, as Redis has them: whether one was revoked is for the database to say. Every change is one step.
 * Everything rejects with AppError `unavailable` (`store_unavailable`) where Redis does not answer.
 */
export function heldSessions({ redis, values, clock, onForged }: HeldSessionsDeps) {
  const run = scriptRunner(redis);

  /** Only what this appliance wrote, where it was written. */
  const open = (fields: StoredFields, foundBy?: TokenHash): HeldSession | undefined => {
    const held = values.open(fields, foundBy);
    if (held === undefined) onForged(fields[0]);
    return held;
  };

  const read = async (ids: readonly string[], index: readonly string[] = []): Promise<HeldSession[]> => {
    const found = await Promise.all(inChunks(ids, AT_ONCE).map((chunk) => run(READ, index, chunk)));
    return (found as StoredFields[][]).flat().flatMap((fields) => open(fields) ?? []);
  };

  /** An index may say anything: what it leads to has to agree. */
  const readIndex = async (key: string, belongs: (session: Session) => boolean): Promise<Session[]> => {
    const ids = await asked(() => redis.zrange(key, '0', '-1'));
    const held = await read(ids, [key]);
    return held.map(({ session }) => session).filter(belongs);
  };

  const timeLeft = (at: number | undefined): number =>
    at === undefined || !Number.isFinite(at) ? -1 : Math.max(at - clock.now(), 0);

  return {
    /** What could not be kept is better not begun. @throws AppError `unavailable` (`store_unavailable`). */
    requireConnection(): void {
      if (redis.status !== 'ready') throw redisOutage(new Error('Connection is closed.'));
    },

    /** @throws AppError `conflict` (`already_exists`) where there is such a session, or such a credential. */
    async insert(session: Session, hash: TokenHash): Promise<void> {
      const { id, idleTimeoutMs, expiresAt } = session;
      const left = timeLeft(sessionEndsAt(session));
      if (left === 0) return;
      const { body, mac, seen, seenMac } = values.seal(session, hash);
      const ends = [idleTimeoutMs ?? '', expiresAt ?? '', left, timeLeft(expiresAt)];
      const inserted = await run(
        INSERT,
        [sessionKey(id), credentialKey(hash)],
        [id, body, mac, hash, seen, seenMac, ...ends, ...indexesOf(session)],
      );
      if (inserted === 1) return;
      throw new AppError('conflict', 'already_exists', 'This exists already.');
    },

    async findByHash(hash: TokenHash): Promise<Session | undefined> {
      if (hash === '') return undefined;
      const found = (await run(FIND, [credentialKey(hash)], [])) as StoredFields | null;
      return found === null ? undefined : open(found, hash)?.session;
    },

    async find(id: SessionId): Promise<HeldSession | undefined> {
      const [held] = await read([id]);
      return held;
    },

    async read(ids: readonly SessionId[]): Promise<Session[]> {
      return (await read(ids)).map(({ session }) => session);
    },

    ofUser: (userId: UserId): Promise<Session[]> =>
      readIndex(userKey(userId), (session) => session.userId === userId),

    childrenOf: (id: SessionId): Promise<Session[]> =>
      readIndex(childrenKey(id), (session) => session.parentId === id),

    ofProviderSid: (provider: string, sid: string): Promise<Session[]> =>
      readIndex(
        providerSidKey(providerSidDigest(provider, sid)),
        ({ origin }) => origin.provider === provider && origin.providerSid === sid,
      ),

    /** What of these is there, and everything below them. */
    async tree(ids: readonly SessionId[]): Promise<Session[]> {
      const all = (await run(TREE, [], ids)) as string[];
      const held = (await read(all)).map(({ session }) => session);
      return belonging(ids, held);
    },

    /** Moves last uses forward; one that is not there stays away. */
    async touch(lastSeen: ReadonlyMap<SessionId, number>): Promise<void> {
      const now = clock.now();
      await Promise.all(
        inChunks([...lastSeen], AT_ONCE).map((chunk) =>
          run(TOUCH, [], [now, ...chunk.flatMap(([id, at]) => [id, at, values.sealLastUse(id, at)])]),
        ),
      );
    },

    /** Takes them away; resolves with how many were there. */
    async remove(ids: readonly SessionId[]): Promise<number> {
      const gone = await Promise.all(inChunks(ids, AT_ONCE).map((chunk) => run(REMOVE, [], chunk)));
      return gone.reduce((sum: number, each) => sum + Number(each), 0);
    },

    /** How many have not run out. */
    count: async (): Promise<number> => {
      const [seconds] = await asked(() => redis.time());
      return asked(() => redis.zcount(ALL_SESSIONS, Number(seconds) * 1_000, '+inf'));
    },

    /** All of them, a page at a time, in no order; one may come twice while others begin and end. */
    async *all(): AsyncGenerator<HeldSession[]> {
      let cursor = '0';
      do {
        const at = cursor;
        const [next, found] = await asked(() => redis.zscan(ALL_SESSIONS, at, 'COUNT', AT_ONCE));
        cursor = next;
        yield await read(found.filter((_, index) => index % 2 === 0));
      } while (cursor !== '0');
    },
  };
}

function indexesOf({ userId, parentId, origin }: Session): string[] {
  const { provider, providerSid } = origin;
  return [
    userKey(userId),
    ...(parentId === undefined ? [] : [childrenKey(parentId)]),
    ...(provider === undefined || providerSid === undefined
      ? []
      : [providerSidKey(providerSidDigest(provider, providerSid))]),
  ];
}

/** Those of `roots`, and those whose parents lead to one of them by what they say themselves. */
function belonging(roots: readonly SessionId[], held: readonly Session[]): Session[] {
  const known = new Set<SessionId>(roots);
  // Parents stand before their children: that is how the tree was walked.
  return held.filter(({ id, parentId }) => {
    const belongs = known.has(id) || (parentId !== undefined && known.has(parentId));
    if (belongs) known.add(id);
    return belongs;
  });
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw redisOutage(error);
  }
}
