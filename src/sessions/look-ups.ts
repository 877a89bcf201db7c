import type { Clock } from '../lib/clock.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { UserId } from '../users/model.ts';
import type { CachedCredential } from './cache.ts';
import type { FoundCredential, SessionId, TokenHash } from './model.ts';

export type ReadCredential = () => MaybePromise<FoundCredential | undefined>;

/** When one look-up began. */
export interface Reading {
  /** Monotonic. */
  readonly readAt: number;
  /** In the order of things: two of them in one millisecond differ. */
  readonly startedAt: number;
}

/** A look-up on its way, and those who wait for it. */
interface Flight {
  readonly begun: Reading;
  readonly waiters: Waiter[];
}

interface Waiter {
  answer(found: CachedCredential | undefined): void;
  fail(error: unknown): void;
}

export interface LookUpDeps {
  clock: Pick<Clock, 'monotonicNow'>;
  /** Remembers what was found, or that nothing was. */
  keep: (
    hash: TokenHash,
    found: FoundCredential | undefined,
    reading: Reading,
  ) => CachedCredential | undefined;
  /** The answer for those who asked, where it may not be remembered. */
  pass: (found: FoundCredential, reading: Reading) => CachedCredential;
}

/** How often a look-up is begun again because its answer was spoiled on the way. */
const MAX_READS = 4;

/**
 * Look-ups that are on their way, and what happens to sessions meanwhile. A revocation leaves a tombstone that outlives every
 * look-up begun before it, so that none of them puts the session back; what is to be forgotten is read again.
 */
export function lookUps({ clock, keep, pass }: LookUpDeps) {
  let sequence = 0;
  const inFlight = new Map<TokenHash, Flight>();
  const tombstones = new Map<SessionId, number>();
  const spoiled = new Map<SessionId | UserId, number>();
  let allSpoiledAt = -1;

  const begin = (): Reading => ({ readAt: clock.monotonicNow(), startedAt: ++sequence });

  /** Whether what was found may be older than something that was to be forgotten. */
  const isSpoiled = (found: FoundCredential | undefined, { startedAt }: Reading) => {
    if (allSpoiledAt > startedAt) return true;
    if (found === undefined) return false;
    const { id, userId } = found.session;
    return Math.max(spoiled.get(id) ?? -1, spoiled.get(userId) ?? -1) > startedAt;
  };

  const settle = (hash: TokenHash, found: FoundCredential | undefined, reading: Reading) => {
    if (!isSpoiled(found, reading)) return keep(hash, found, reading);
    return found === undefined ? undefined : pass(found, reading);
  };

  /** Marks of the past are needed only while a look-up from before them may still end. */
  const land = (hash: TokenHash) => {
    inFlight.delete(hash);
    const [oldest] = inFlight.values();
    const needed = oldest?.begun.startedAt ?? Infinity;
    dropUntil(tombstones, needed);
    dropUntil(spoiled, needed);
  };

  /** Settles and answers in one step, so that whatever happens to the session next happens after the answer. */
  const fly = async (
    hash: TokenHash,
    { begun, waiters }: Flight,
    pending: Promise<FoundCredential | undefined>,
    read: ReadCredential,
  ): Promise<void> => {
    let conclude: (waiter: Waiter) => void;
    try {
      let reading = begun;
      let found = await pending;
      for (let reads = 1; reads < MAX_READS && isSpoiled(found, reading); reads++) {
        reading = begin();
        found = await read();
      }
      const settled = settle(hash, found, reading);
      conclude = (waiter) => waiter.answer(settled);
    } catch (error) {
      conclude = (waiter) => waiter.fail(error);
    }
    land(hash);
    for (const waiter of waiters) conclude(waiter);
  };

  return {
    /** Joins the look-up of this hash that is on its way. */
    join<T>(hash: TokenHash, use: (found: CachedCredential | undefined) => T): Promise<T> | undefined {
      const flight = inFlight.size > 0 ? inFlight.get(hash) : undefined;
      return flight === undefined ? undefined : wait(flight, use);
    },

    /** Looks up; `use` runs in the step in which the look-up settles. Throws or rejects as `read` does. */
    begin<T>(
      hash: TokenHash,
      read: ReadCredential,
      use: (found: CachedCredential | undefined) => T,
    ): MaybePromise<T> {
      const begun = begin();
      const found = read();
      if (!(found instanceof Promise)) return use(keep(hash, found, begun));
      const flight: Flight = { begun, waiters: [] };
      inFlight.set(hash, flight);
      void fly(hash, flight, found, read);
      return wait(flight, use);
    },

    /** Whether the session was revoked after this look-up began, or by what the look-up itself found. */
    isRevoked({ session }: FoundCredential, { startedAt }: Reading): boolean {
      return session.status === 'revoked' || (tombstones.get(session.id) ?? -1) > startedAt;
    },

    revoke(id: SessionId): void {
      if (inFlight.size > 0) mark(tombstones, id, ++sequence);
    },

    /** Makes look-ups that are on their way and find this session, or one of this user, read again. */
    spoil(id: SessionId | UserId): void {
      if (inFlight.size > 0) mark(spoiled, id, ++sequence);
    },

    spoilAll(): void {
      allSpoiledAt = ++sequence;
    },

    /** Tombstones and marks that are held. */
    get held(): number {
      return tombstones.size + spoiled.size;
    },
  };
}

function wait<T>({ waiters }: Flight, use: (found: CachedCredential | undefined) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    waiters.push({
      answer(found) {
        try {
          resolve(use(found));
        } catch (error) {
          reject(error);
        }
      },
      fail: reject,
    });
  });
}

/** Sets a mark as the newest: the oldest stand first. */
function mark<Key>(marks: Map<Key, number>, key: Key, at: number): void {
  marks.delete(key);
  marks.set(key, at);
}

function dropUntil(marks: Map<unknown, number>, until: number): void {
  for (const [key, at] of marks) {
    if (at > until) return;
    marks.delete(key);
  }
}
