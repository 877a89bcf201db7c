import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { once } from '../lib/once.ts';
import { recency } from '../lib/recency.ts';
import type { User, UserId } from '../users/model.ts';
import { lookUps, type ReadCredential, type Reading } from './look-ups.ts';
import type {
  Credential,
  FoundCredential,
  RecognisedSession,
  SessionId,
  SessionWithUser,
  TokenHash,
} from './model.ts';
import { type Chained, userChains } from './user-chains.ts';

/** A session in memory. `session` is the store's snapshot; what moves since then stands beside it. */
export interface CachedSession extends SessionWithUser {
  /** The last use this process knows of. */
  lastSeenAt: number;
  /** The last use that was handed on to be written. */
  touchedAt: number;
  /** Refuses without a look-up, whatever the snapshot says. Never set back. */
  revoked: boolean;
}

/** One credential of a cached session. */
export interface CachedCredential {
  readonly entry: CachedSession;
  readonly credential: Credential;
}

export interface SessionCacheOptions {
  /** Sessions kept. */
  size: number;
  /** How long an entry is believed, counted from before its look-up and not renewed by hits. */
  ttlMs: number;
  unknownSize: number;
  unknownTtlMs: number;
  clock: Pick<Clock, 'monotonicNow'>;
}

export interface SessionCacheStats {
  hits: number;
  misses: number;
  evictions: number;
}

interface Entry extends CachedSession, Chained<Entry> {
  session: RecognisedSession;
  user: User;
  /** Where it stands in the order of use; `undefined` for an entry that is not kept. */
  place: number | undefined;
  /** Its credentials that were asked for are a chain: most have one. */
  firstSlot: Slot | undefined;
  /** When the newest look-up of this session began, in the order of things. */
  startedAt: number;
}

interface Slot extends CachedCredential {
  readonly entry: Entry;
  credential: Credential;
  next: Slot | undefined;
  /** Monotonic; taken before the look-up that brought the credential. The session was read then or later. */
  readAt: number;
}

export type SessionCache = ReturnType<typeof sessionCache>;

/**
 * The hot path's memory: sessions by id, and hash → id. Bounded, least recently used first out, indexed by user.
 *
 * Revoked is terminal: a revoked entry stays and refuses, and no look-up that was on its way puts the session back. An outage
 * (a read that throws) is never remembered; absence is, for seconds, in a small memory of its own.
 */
export function sessionCache({ size, ttlMs, unknownSize, unknownTtlMs, clock }: SessionCacheOptions) {
  const stats: SessionCacheStats = { hits: 0, misses: 0, evictions: 0 };
  const slots = new Map<TokenHash, Slot>();
  const ofUsers = userChains<Entry>();
  const entries = new Map<SessionId, Entry>();
  const order = recency(size);
  const atPlace: (Entry | undefined)[] = [];
  /** Takes room for all of them at once, which a start-up should not wait for. */
  const unknown = once(() => new LRUCache<TokenHash, number>({ max: unknownSize }));

  const remove = (entry: Entry) => {
    if (entry.place === undefined) return;
    order.remove(entry.place);
    atPlace[entry.place] = undefined;
    entry.place = undefined;
    entries.delete(entry.session.id);
    for (let slot = entry.firstSlot; slot !== undefined; slot = slot.next) slots.delete(slot.credential.hash);
    ofUsers.remove(entry);
  };

  const makeRoom = () => {
    if (order.size < order.capacity) return;
    const oldest = atPlace[order.oldest() ?? -1];
    if (oldest === undefined) return;
    stats.evictions++;
    remove(oldest);
  };

  const add = (entry: Entry) => {
    makeRoom();
    entry.place = order.add();
    atPlace[entry.place] = entry;
    entries.set(entry.session.id, entry);
    ofUsers.add(entry);
  };

  /** Tokens that were replaced long ago are not asked for again. */
  const dropStale = (entry: Entry, now: number) => {
    let slot = entry.firstSlot;
    entry.firstSlot = undefined;
    while (slot !== undefined) {
      const { next } = slot;
      if (now - slot.readAt < ttlMs) {
        slot.next = entry.firstSlot;
        entry.firstSlot = slot;
      } else {
        slots.delete(slot.credential.hash);
      }
      slot = next;
    }
  };

  const addCredential = (entry: Entry, credential: Credential, readAt: number): Slot => {
    const known = slots.get(credential.hash);
    if (known?.entry === entry) {
      known.credential = credential;
      known.readAt = readAt;
      return known;
    }
    if (!entry.revoked) dropStale(entry, readAt);
    const slot: Slot = { entry, credential, next: entry.firstSlot, readAt };
    entry.firstSlot = slot;
    slots.set(credential.hash, slot);
    return slot;
  };

  /** A newer reading takes the place of an older one; revoked, and the last use, never go back. */
  const renew = (entry: Entry, { session, user }: FoundCredential, startedAt: number) => {
    if (entry.place !== undefined) order.use(entry.place);
    if (entry.startedAt > startedAt) return;
    entry.session = session;
    entry.user = user;
    entry.startedAt = startedAt;
    entry.lastSeenAt = Math.max(entry.lastSeenAt, session.lastSeenAt);
  };

  const keep = (found: FoundCredential, reading: Reading): CachedCredential => {
    let entry = entries.get(found.session.id);
    if (entry === undefined) {
      entry = newEntry(found, reading.startedAt);
      add(entry);
    } else {
      renew(entry, found, reading.startedAt);
    }
    if (reads.isRevoked(found, reading)) entry.revoked = true;
    return addCredential(entry, found.credential, reading.readAt);
  };

  const reads = lookUps({
    clock,
    keep(hash, found, reading) {
      if (found !== undefined) return keep(found, reading);
      unknown().set(hash, clock.monotonicNow() + unknownTtlMs);
      return undefined;
    },
    pass(found, reading) {
      const entry = newEntry(found, reading.startedAt);
      entry.revoked = reads.isRevoked(found, reading);
      return { entry, credential: found.credential };
    },
  });

  return {
    stats,
    get size(): number {
      return entries.size;
    },
    /** What is held besides entries because look-ups are on their way. */
    get marks(): number {
      return reads.held;
    },

    /** The credential from memory; `undefined` says to look it up. Revoked entries answer whatever their age. */
    get(hash: TokenHash, monotonicNow = clock.monotonicNow()): CachedCredential | undefined {
      const slot = slots.get(hash);
      if (slot === undefined) return undefined;
      const { entry } = slot;
      if (!entry.revoked && monotonicNow - slot.readAt >= ttlMs) return undefined;
      if (entry.place !== undefined) order.use(entry.place);
      stats.hits++;
      return slot;
    },

    /** Whether the store said, seconds ago, that there is no such credential. */
    isUnknown(hash: TokenHash): boolean {
      const until = unknown().get(hash);
      if (until === undefined) return false;
      if (clock.monotonicNow() < until) return true;
      unknown().delete(hash);
      return false;
    },

    /**
     * Looks the credential up, keeps what was found, and answers with what `use` makes of it. Callers that ask for one hash
     * at the same time share one look-up. `use` runs in the step in which the look-up settles, so that no revocation comes
     * between the two. Throws or rejects as `read` does, and then keeps nothing.
     */
    load<T>(
      hash: TokenHash,
      read: ReadCredential,
      use: (found: CachedCredential | undefined) => T,
    ): MaybePromise<T> {
      const shared = reads.join(hash, use);
      if (shared !== undefined) return shared;
      stats.misses++;
      return reads.begin(hash, read, use);
    },

    /** Marks a session revoked, for good, and for look-ups that are on their way. */
    revoke(id: SessionId): void {
      const entry = entries.get(id);
      if (entry !== undefined) entry.revoked = true;
      reads.revoke(id);
    },

    /** Makes look-ups that are on their way and find this session read again; what is remembered of it stays. */
    spoil(id: SessionId): void {
      reads.spoil(id);
    },

    /** Forgets a session, and makes look-ups that are on their way read again. A revoked entry stays. */
    evict(id: SessionId): void {
      reads.spoil(id);
      const entry = entries.get(id);
      if (entry?.revoked === false) remove(entry);
    },

    /** Does the same for every session of one user, and touches only those. */
    evictUser(userId: UserId): void {
      reads.spoil(userId);
      for (const entry of ofUsers.of(userId)) {
        if (!entry.revoked) remove(entry);
      }
    },

    /** The cached session, without counting as a use of it. */
    peek(id: SessionId): CachedSession | undefined {
      return entries.get(id);
    },

    /** Ids of the cached sessions of one user. */
    ofUser(userId: UserId): SessionId[] {
      return ofUsers.of(userId).map(({ session }) => session.id);
    },

    /** Forgets everything but what is revoked; look-ups that are on their way read again. */
    clear(): void {
      reads.spoilAll();
      for (const entry of entries.values()) if (!entry.revoked) remove(entry);
      unknown().clear();
    },
  };
}

function newEntry({ session, user }: SessionWithUser, startedAt: number): Entry {
  return {
    session,
    user,
    lastSeenAt: session.lastSeenAt,
    touchedAt: session.lastSeenAt,
    revoked: session.status === 'revoked',
    place: undefined,
    nextOfUser: undefined,
    previousOfUser: undefined,
    firstSlot: undefined,
    startedAt,
  };
}
