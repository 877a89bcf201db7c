import type { Clock } from '../lib/clock.ts';
import type { RecognisedSession, SessionId } from '../sessions/model.ts';
import { LEAP_SECONDS } from './constants.ts';

export interface NonceMemoryDeps {
  clock: Clock;
  /** Nothing of a session that was created by then counts, in seconds since 1970: it may have been used before our time. */
  floorOf: (session: SigningSession) => number;
  /** How long a nonce is remembered at least, on the monotonic clock: longer than any signature is good for. */
  keptMs: number;
  limits?: NonceLimits;
}

export interface NonceLimits {
  /** Nonces in one slice, slices of one session, and nonces of all. */
  perSlice: number;
  slices: number;
  inAll: number;
}

export type SigningSession = Pick<RecognisedSession, 'id' | 'createdAt'>;

/** `stale`: it may have been used already, and nobody can tell any more. */
export type NonceVerdict = 'fresh' | 'replayed' | 'stale';

export interface NonceMemory {
  /** Uses a nonce up; `created` is that of its signature, in seconds. Only for signatures that were verified. */
  take(session: SigningSession, nonce: string, created: number): NonceVerdict;
  /** Nonces that are remembered. */
  readonly size: number;
}

/** The time that goes into one slice; a slice is forgotten as a whole. */
const SLICE_MS = 30_000;
const LIMITS: NonceLimits = { perSlice: 2_048, slices: 8, inAll: 262_144 };

/** Nonces that came one after another. */
interface Slice {
  readonly nonces: Set<number>;
  readonly openedAt: number;
  /** The newest `created` among them. */
  newest: number;
}

interface SessionNonces {
  slices: Slice[];
  size: number;
  /** Seconds; what was forgotten of this session for lack of room was created by then. */
  floor: number;
}

/**
 * Remembers which nonces were used, for each session apart. Memory is bounded: what has to be forgotten leaves a floor
 * behind, and whatever was created by then counts as used. So a device that signs more than there is room for only narrows
 * its own window, and a wall clock that is set back brings nothing to life again.
 */
export function nonceMemory({ clock, floorOf, keptMs, limits = LIMITS }: NonceMemoryDeps): NonceMemory {
  const sessions = new Map<SessionId, SessionNonces>();
  /** Of what was forgotten because its time had passed. */
  let pastFloor = 0;
  let size = 0;
  let sweepAt = clock.monotonicNow() + SLICE_MS;

  /** Takes out the oldest slice, and says what was created at the latest in it. */
  const forgetOldest = (session: SessionNonces): number => {
    const slice = session.slices.shift();
    const forgotten = slice?.nonces.size ?? 0;
    session.size -= forgotten;
    size -= forgotten;
    return slice?.newest ?? 0;
  };

  const sweep = (monotonicNow: number) => {
    sweepAt = monotonicNow + SLICE_MS;
    for (const [id, session] of sessions) {
      while (isPast(session.slices[0], monotonicNow - keptMs))
        pastFloor = Math.max(pastFloor, forgetOldest(session));
      if (session.slices.length > 0) continue;
      pastFloor = Math.max(pastFloor, session.floor);
      sessions.delete(id);
    }
  };

  const makeRoom = (session: SessionNonces) => {
    session.floor = Math.max(session.floor, forgetOldest(session));
  };

  /** When all together have too many, the one with the most gives way. */
  const makeRoomForAll = () => {
    let largest: SessionNonces | undefined;
    for (const session of sessions.values()) {
      if (session.size > (largest?.size ?? 0)) largest = session;
    }
    if (largest !== undefined) makeRoom(largest);
  };

  const openSlice = (session: SessionNonces, monotonicNow: number): Slice => {
    const slice = { nonces: new Set<number>(), openedAt: monotonicNow, newest: 0 };
    session.slices.push(slice);
    if (session.slices.length > limits.slices) makeRoom(session);
    return slice;
  };

  const sliceOf = (session: SessionNonces, monotonicNow: number): Slice => {
    const newest = session.slices.at(-1);
    if (newest === undefined || newest.nonces.size >= limits.perSlice)
      return openSlice(session, monotonicNow);
    return monotonicNow < newest.openedAt + SLICE_MS ? newest : openSlice(session, monotonicNow);
  };

  const noncesOf = (session: SigningSession): SessionNonces => {
    const known = sessions.get(session.id);
    if (known !== undefined) return known;
    const nonces = { slices: [], size: 0, floor: floorOf(session) };
    sessions.set(session.id, nonces);
    return nonces;
  };

  return {
    take(signer, nonce, created) {
      const monotonicNow = clock.monotonicNow();
      if (monotonicNow >= sweepAt) sweep(monotonicNow);
      const session = noncesOf(signer);
      const print = fingerprint(nonce);
      if (session.slices.some(({ nonces }) => nonces.has(print))) return 'replayed';
      const now = clock.now();
      if (isBelowFloor(created, session.floor, now) || isBelowFloor(created, pastFloor, now)) return 'stale';
      if (size >= limits.inAll) makeRoomForAll();
      const slice = sliceOf(session, monotonicNow);
      slice.nonces.add(print);
      slice.newest = Math.max(slice.newest, created);
      session.size++;
      size++;
      return 'fresh';
    },
    get size() {
      return size;
    },
  };
}

/**
 * Whether what was created by then counts as used: `created` and `floor` in seconds, `now` in milliseconds. A floor too far ahead is
 * of a clock that leapt.
 */
export function isBelowFloor(created: number, floor: number, now: number): boolean {
  return created <= floor && floor <= now / 1_000 + LEAP_SECONDS;
}

/** A nonce as a number of 53 bits: a piece of a header would keep the whole header in memory. */
function fingerprint(nonce: string): number {
  return Bun.hash.xxHash32(nonce, 1) * 0x20_0000 + (Bun.hash.xxHash32(nonce, 2) >>> 11);
}

function isPast(slice: Slice | undefined, monotonicNow: number): boolean {
  return slice !== undefined && monotonicNow >= slice.openedAt + SLICE_MS;
}
