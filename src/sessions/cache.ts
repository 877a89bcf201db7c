import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import { recency } from '../lib/recency.ts';
import type { UserId } from '../users/model.ts';
import type { Credential, FoundCredential, SessionId, SessionWithUser, TokenHash } from './model.ts';

/** A session in memory. `session` is the store's snapshot; what moves since then stands beside it. */
export interface CachedSession extends SessionWithUser {
  lastSeenAt: number;
  /** Refuses without a look-up, whatever the snapshot says. Never set back. */
  revoked: boolean;
}

/** One credential of a cached session. */
export interface CachedCredential {
  readonly entry: CachedSession;
  readonly credential: Credential;
}

type MaybePromise<T> = T | Promise<T>;

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

interface Entry extends CachedSession {
  /** Where it stands in the order of use; `undefined` for an entry that is not kept. */
  place: number | undefined;
  /** The entries of one user are a chain: most users have one or two. */
  nextOfUser: Entry | undefined;
  previousOfUser: Entry | undefined;
  /** Its credentials that were asked for are a chain: most have one. */
  firstSlot: Slot | undefined;
  /** Monotonic; taken before the look-up that brought the entry. */
  readonly readAt: number;
  /** The look-up's place in the order of things. */
  readonly startedAt: number;
}

interface Slot extends CachedCredential {
  readonly entry: Entry;
  readonly next: Slot | undefined;
}

export type SessionCache = ReturnType<typeof sessionCache>;

/** How often a look-up is begun again because its answer was spoiled on the way. */
const MAX_READS = 4;

/**
 * The hot path's memory: sessions by id, and hash → id. Bounded, least recently used first out, indexed by user.
 *
 * Revoked is terminal: a revoked entry stays and refuses. A revocation that arrives while look-ups are in flight leaves a
 * tombstone that outlives every look-up begun before it, so that none of them puts the session back. An outage (a read
 * that throws) is never remembered; absence is, for seconds, in a small memory of its own.
 */
export function sessionCache({ size, ttlMs, unknownSize, unknownTtlMs, clock }: SessionCacheOptions) {
  const stats: SessionCacheStats = { hits: 0, misses: 0, evictions: 0 };
  const slots = new Map<TokenHash, Slot>();
  const firstOfUser = new Map<UserId, Entry>();
  const entries = new Map<SessionId, Entry>();
  const order = recency(size);
  const atPlace: (Entry | undefined)[] = [];
  const unknown = new LRUCache<TokenHash, number>({ max: unknownSize });

  /** Orders look-ups and what happens to sessions; not a time, so that two things in one millisecond differ. */
  let sequence = 0;
  const inFlight = new Map<TokenHash, Promise<CachedCredential | undefined>>();
  const tombstones = new Map<SessionId, number>();
  const spoiled = new Map<SessionId | UserId, number>();
  let clearedAt = -1;

  const chain = (entry: Entry) => {
    const next = firstOfUser.get(entry.session.userId);
    entry.nextOfUser = next;
    if (next !== undefined) next.previousOfUser = entry;
    firstOfUser.set(entry.session.userId, entry);
  };

  const unchain = (entry: Entry) => {
    const { nextOfUser: next, previousOfUser: previous } = entry;
    if (next !== undefined) next.previousOfUser = previous;
    if (previous !== undefined) previous.nextOfUser = next;
    else if (next !== undefined) firstOfUser.set(entry.session.userId, next);
    else firstOfUser.delete(entry.session.userId);
    entry.nextOfUser = undefined;
    entry.previousOfUser = undefined;
  };

  const chainOf = (userId: UserId): Entry[] => {
    const found: Entry[] = [];
    for (let each = firstOfUser.get(userId); each !== undefined; each = each.nextOfUser) found.push(each);
    return found;
  };

  const remove = (entry: Entry) => {
    if (entry.place === undefined) return;
    order.remove(entry.place);
    atPlace[entry.place] = undefined;
    entry.place = undefined;
    entries.delete(entry.session.id);
    for (let slot = entry.firstSlot; slot !== undefined; slot = slot.next) slots.delete(slot.credential.hash);
    unchain(entry);
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
    chain(entry);
  };

  const addCredential = (entry: Entry, credential: Credential): Slot => {
    const slot: Slot = { entry, credential, next: entry.firstSlot };
    entry.firstSlot = slot;
    slots.set(credential.hash, slot);
    return slot;
  };

  /** Whether the session was revoked after this look-up began, or by what the look-up itself found. */
  const isRefused = ({ session }: FoundCredential, startedAt: number) =>
    session.status === 'revoked' || (tombstones.size > 0 && (tombstones.get(session.id) ?? -1) > startedAt);

  const keep = (found: FoundCredential, readAt: number, startedAt: number): CachedCredential => {
    let entry = entries.get(found.session.id);
    // A newer reading is kept over one that was on its way for longer.
    if (entry !== undefined && !entry.revoked && entry.startedAt < startedAt) {
      remove(entry);
      entry = undefined;
    }
    if (entry === undefined) {
      entry = newEntry(found, readAt, startedAt);
      add(entry);
    }
    if (isRefused(found, startedAt)) entry.revoked = true;
    return addCredential(entry, found.credential);
  };

  const isSpoiled = ({ session }: FoundCredential, startedAt: number) =>
    Math.max(clearedAt, spoiled.get(session.id) ?? -1, spoiled.get(session.userId) ?? -1) > startedAt;

  const settle = (hash: TokenHash, found: FoundCredential | undefined, readAt: number, startedAt: number) => {
    if (found !== undefined) return keep(found, readAt, startedAt);
    unknown.set(hash, clock.monotonicNow() + unknownTtlMs);
    return undefined;
  };

  const finish = async (
    hash: TokenHash,
    pending: Promise<FoundCredential | undefined>,
    read: () => MaybePromise<FoundCredential | undefined>,
    first: { readAt: number; startedAt: number },
  ): Promise<CachedCredential | undefined> => {
    let { readAt, startedAt } = first;
    let found = await pending;
    for (let reads = 1; found !== undefined && isSpoiled(found, startedAt); reads++) {
      if (reads === MAX_READS) return unkept(found, readAt, startedAt);
      readAt = clock.monotonicNow();
      startedAt = ++sequence;
      found = await read();
    }
    return settle(hash, found, readAt, startedAt);
  };

  /** The answer to those who asked, when it could not be kept. */
  const unkept = (found: FoundCredential, readAt: number, startedAt: number): CachedCredential => {
    const entry = newEntry(found, readAt, startedAt);
    entry.revoked ||= isRefused(found, startedAt);
    return { entry, credential: found.credential };
  };

  /** Marks of the past are needed only while a look-up from before them may still end. */
  const prune = () => {
    if (inFlight.size > 0) return;
    tombstones.clear();
    spoiled.clear();
  };

  return {
    stats,
    get size(): number {
      return entries.size;
    },

    /** The credential from memory; `undefined` says to look it up. Revoked entries answer whatever their age. */
    get(hash: TokenHash): CachedCredential | undefined {
      const slot = slots.get(hash);
      if (slot === undefined) return undefined;
      const { entry } = slot;
      if (!entry.revoked && clock.monotonicNow() - entry.readAt > ttlMs) return undefined;
      if (entry.place !== undefined) order.use(entry.place);
      stats.hits++;
      return slot;
    },

    /** Whether the store said, seconds ago, that there is no such credential. */
    isUnknown(hash: TokenHash): boolean {
      const until = unknown.get(hash);
      if (until === undefined) return false;
      if (clock.monotonicNow() < until) return true;
      unknown.delete(hash);
      return false;
    },

    /**
     * Looks the credential up and keeps what was found. Callers that ask for one hash at the same time share one look-up.
     * Throws or rejects as `read` does, and then keeps nothing.
     */
    load(
      hash: TokenHash,
      read: () => MaybePromise<FoundCredential | undefined>,
    ): MaybePromise<CachedCredential | undefined> {
      const shared = inFlight.size > 0 ? inFlight.get(hash) : undefined;
      if (shared !== undefined) return shared;
      stats.misses++;
      const readAt = clock.monotonicNow();
      const startedAt = ++sequence;
      const found = read();
      if (!(found instanceof Promise)) return settle(hash, found, readAt, startedAt);
      const result = finish(hash, found, read, { readAt, startedAt }).finally(() => {
        inFlight.delete(hash);
        prune();
      });
      inFlight.set(hash, result);
      return result;
    },

    /** Marks a session revoked, for good, and for look-ups that are on their way. */
    revoke(id: SessionId): void {
      const entry = entries.get(id);
      if (entry !== undefined) entry.revoked = true;
      if (inFlight.size > 0) tombstones.set(id, ++sequence);
    },

    /** Forgets a session, and makes look-ups that are on their way read again. A revoked entry stays. */
    evict(id: SessionId): void {
      if (inFlight.size > 0) spoiled.set(id, ++sequence);
      const entry = entries.get(id);
      if (entry?.revoked === false) remove(entry);
    },

    /** Does the same for every session of one user, and touches only those. */
    evictUser(userId: UserId): void {
      if (inFlight.size > 0) spoiled.set(userId, ++sequence);
      for (const entry of chainOf(userId)) {
        if (!entry.revoked) remove(entry);
      }
    },

    /** The cached session, without counting as a use of it. */
    peek(id: SessionId): CachedSession | undefined {
      return entries.get(id);
    },

    /** Ids of the cached sessions of one user. */
    ofUser(userId: UserId): SessionId[] {
      return chainOf(userId).map(({ session }) => session.id);
    },

    /** Forgets everything but what is revoked; look-ups that are on their way read again. */
    clear(): void {
      clearedAt = ++sequence;
      for (const entry of [...entries.values()]) if (!entry.revoked) remove(entry);
      unknown.clear();
    },
  };
}

function newEntry({ session, user }: SessionWithUser, readAt: number, startedAt: number): Entry {
  return {
    session,
    user,
    lastSeenAt: session.lastSeenAt,
    revoked: session.status === 'revoked',
    place: undefined,
    nextOfUser: undefined,
    previousOfUser: undefined,
    firstSlot: undefined,
    readAt,
    startedAt,
  };
}
