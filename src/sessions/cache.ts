import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
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
  readonly hashes: TokenHash[];
  /** Monotonic; taken before the look-up that brought the entry. */
  readonly readAt: number;
  /** The look-up's place in the order of things. */
  readonly startedAt: number;
}

interface Slot extends CachedCredential {
  readonly entry: Entry;
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
  const byUser = new Map<UserId, Set<Entry>>();
  const entries = new LRUCache<SessionId, Entry>({
    max: size,
    dispose: (entry, _id, reason) => {
      if (reason === 'evict') stats.evictions++;
      forget(entry);
    },
  });
  const unknown = new LRUCache<TokenHash, number>({ max: unknownSize });

  /** Orders look-ups and what happens to sessions; not a time, so that two things in one millisecond differ. */
  let sequence = 0;
  const inFlight = new Map<TokenHash, Promise<CachedCredential | undefined>>();
  const tombstones = new Map<SessionId, number>();
  const spoiled = new Map<SessionId | UserId, number>();
  let clearedAt = -1;

  const forget = (entry: Entry) => {
    for (const hash of entry.hashes) slots.delete(hash);
    const ofUser = byUser.get(entry.session.userId);
    ofUser?.delete(entry);
    if (ofUser?.size === 0) byUser.delete(entry.session.userId);
  };

  const insert = (
    { session, user, credential }: FoundCredential,
    readAt: number,
    startedAt: number,
  ): Slot => {
    const known = entries.get(session.id);
    const entry = known ?? newEntry({ session, user }, readAt, startedAt);
    if (known === undefined) {
      entries.set(session.id, entry);
      const ofUser = byUser.get(session.userId);
      if (ofUser === undefined) byUser.set(session.userId, new Set([entry]));
      else ofUser.add(entry);
    }
    const slot: Slot = { entry, credential };
    if (!slots.has(credential.hash)) entry.hashes.push(credential.hash);
    slots.set(credential.hash, slot);
    return slot;
  };

  /** Whether the session was revoked after this look-up began, or by what the look-up itself found. */
  const isRefused = ({ session }: FoundCredential, startedAt: number) =>
    session.status === 'revoked' || (tombstones.get(session.id) ?? -1) > startedAt;

  const keep = (found: FoundCredential, readAt: number, startedAt: number): CachedCredential => {
    const known = entries.peek(found.session.id);
    // A newer reading is kept over one that was on its way for longer.
    if (known !== undefined && !known.revoked && known.startedAt < startedAt)
      entries.delete(found.session.id);
    const slot = insert(found, readAt, startedAt);
    if (isRefused(found, startedAt)) slot.entry.revoked = true;
    return slot;
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
      const entry = entries.get(slot.entry.session.id);
      if (entry === undefined) return undefined;
      if (!entry.revoked && clock.monotonicNow() - entry.readAt > ttlMs) return undefined;
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
      const shared = inFlight.get(hash);
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
      const entry = entries.peek(id);
      if (entry !== undefined) entry.revoked = true;
      if (inFlight.size > 0) tombstones.set(id, ++sequence);
    },

    /** Forgets a session, and makes look-ups that are on their way read again. A revoked entry stays. */
    evict(id: SessionId): void {
      if (inFlight.size > 0) spoiled.set(id, ++sequence);
      if (entries.peek(id)?.revoked !== true) entries.delete(id);
    },

    /** Does the same for every session of one user, and touches only those. */
    evictUser(userId: UserId): void {
      if (inFlight.size > 0) spoiled.set(userId, ++sequence);
      for (const entry of [...(byUser.get(userId) ?? [])]) {
        if (!entry.revoked) entries.delete(entry.session.id);
      }
    },

    /** The cached session, without counting as a use of it. */
    peek(id: SessionId): CachedSession | undefined {
      return entries.peek(id);
    },

    /** Ids of the cached sessions of one user. */
    ofUser(userId: UserId): SessionId[] {
      return [...(byUser.get(userId) ?? [])].map(({ session }) => session.id);
    },

    /** Forgets everything but what is revoked; look-ups that are on their way read again. */
    clear(): void {
      clearedAt = ++sequence;
      for (const [id, entry] of [...entries.entries()]) if (!entry.revoked) entries.delete(id);
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
    hashes: [],
    readAt,
    startedAt,
  };
}
