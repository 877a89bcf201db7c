import type { JudgedTime } from '../db/time-mark.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { Histogram } from '../lib/metrics.ts';
import { DEVICE_AUDIENCE, guestLinkOf } from './audience.ts';
import type { CachedCredential, CachedSession, SessionCache } from './cache.ts';
import type { Authentication, DeviceAuthentication, RefusalReason } from './ledger.ts';
import {
  type Audience,
  type CredentialReader,
  type CredentialUse,
  type FoundCredential,
  isLive,
  type RecognisedSession,
  type SessionId,
  sessionEndsAt,
  type TokenHash,
} from './model.ts';
import type { Refusals } from './refusals.ts';
import { hashToken, TOKEN_LENGTH, type TokenMint, useOf } from './token.ts';
import type { Touches } from './touches.ts';
import type { Trust } from './trust.ts';

export interface RecognitionDeps {
  cache: SessionCache;
  reader: CredentialReader;
  mint: TokenMint;
  touches: Touches;
  refusals: Refusals;
  /** Until when memory is believed. */
  trust: Trust;
  /** Where the store cannot be asked instead: serve what is in memory, which may have ended elsewhere. */
  servesUntrusted: boolean;
  /** Whether what can be read at once says that a session in memory is over, where the store as a whole cannot be asked. */
  isOver: (session: RecognisedSession) => boolean;
  clock: Clock;
  /** Whether the wall clock is too far behind to judge anything. */
  readTime: () => JudgedTime;
  lookUpSeconds: Histogram;
}

/** A last use is written once it has moved by this share of the idle timeout, and by five minutes at the most. */
const TOUCH_SHARE = 1 / 100;
const MAX_TOUCH_RESOLUTION_MS = 5 * 60_000;

const SESSION_ID = /^ses_[a-z2-7]{26}$/;

const refused = (reason: RefusalReason) => ({ ok: false, reason }) as const;
const MALFORMED = refused('malformed');
const UNKNOWN = refused('unknown');
const OTHER_AUDIENCE = refused('other_audience');
const REVOKED = refused('revoked');
const EXPIRED = refused('expired');

/** Says who a token speaks for; see `Ledger.authenticate`. */
export function recognition(deps: RecognitionDeps) {
  const { cache, reader, mint, touches, refusals, trust, clock } = deps;

  const read = (look: () => FoundCredential | undefined | Promise<FoundCredential | undefined>) => {
    const startedAt = clock.monotonicNow();
    const observe = () => deps.lookUpSeconds.observe((clock.monotonicNow() - startedAt) / 1_000);
    const found = look();
    if (found instanceof Promise) return found.finally(observe);
    observe();
    return found;
  };

  /**
   * A child's last use moves only together with its parent's, so that it never outlives it. What a guest does is no use of
   * the device.
   */
  const touch = (entry: CachedSession, now: number) => {
    const { id, parentId, idleTimeoutMs } = entry.session;
    if (parentId === undefined) entry.lastSeenAt = now;
    if (now - entry.touchedAt < touchResolutionMs(idleTimeoutMs)) return;
    entry.lastSeenAt = now;
    entry.touchedAt = now;
    touches.record(id, now);
    if (parentId === undefined || guestLinkOf(entry.session) !== undefined) return;
    touches.record(parentId, now);
    const parent = cache.peek(parentId);
    if (parent !== undefined) parent.lastSeenAt = now;
  };

  /** What the credential is worth; nothing is changed by asking. */
  const weigh = (
    found: CachedCredential | undefined,
    use: CredentialUse,
    audience: Audience,
    now: number,
  ): Authentication => {
    if (found === undefined) return UNKNOWN;
    const { entry, credential } = found;
    if (credential.use !== use || !entry.session.audience.includes(audience)) return OTHER_AUDIENCE;
    if (entry.revoked || !mayAct(entry) || refusals.refuses(entry.session)) return REVOKED;
    if (credential.supersededAt !== undefined || now >= (credential.expiresAt ?? Infinity)) return EXPIRED;
    // Uses that wait to be written are asked for only where they decide.
    if (now >= endOf(entry) && now >= endOf(entry, touches.get(entry.session.id))) return EXPIRED;
    return { ok: true, session: entry.session, user: entry.user };
  };

  const judge = (
    found: CachedCredential | undefined,
    use: CredentialUse,
    audience: Audience,
    now = clock.now(),
  ): Authentication => {
    const judged = weigh(found, use, audience, now);
    if (judged.ok && found !== undefined) touch(found.entry, now);
    return judged;
  };

  const judgeFresh = (token: string, hash: TokenHash, use: CredentialUse, audience: Audience) =>
    cache.load(
      hash,
      () => read(() => reader.findByHash(hash, useOf(token))),
      (found) => judge(found, use, audience),
    );

  /** For what is in memory while that may be behind: nothing there is worth more than what the store says. */
  const askInstead = <T>(ask: () => MaybePromise<T>, serve: () => T): MaybePromise<T> => {
    if (!deps.servesUntrusted) return ask();
    const serveInOutage = (error: unknown) => {
      if (error instanceof AppError && error.kind === 'unavailable') return serve();
      throw error;
    };
    try {
      const answer = ask();
      return answer instanceof Promise ? answer.catch(serveInOutage) : answer;
    } catch (error) {
      return serveInOutage(error);
    }
  };

  /** Anybody may name a session: what its key has not signed is no use of it. */
  const judgeSigner = (found: CachedCredential | undefined, now = clock.now()): DeviceAuthentication => {
    const judged = weigh(found, 'device', DEVICE_AUDIENCE, now);
    const signer = found?.credential.signer;
    if (!judged.ok) return judged;
    return signer === undefined ? UNKNOWN : { ...judged, ...signer };
  };

  /** The time to judge by. @throws AppError `unavailable` (`clock_behind`). */
  const timeNow = () => {
    const time = deps.readTime();
    if (time.isBehind) throw clockBehind();
    return time;
  };

  return {
    authenticate(
      token: string,
      use: CredentialUse,
      audience: Audience,
    ): Authentication | Promise<Authentication> {
      const { now, monotonicNow } = timeNow();
      if (token.length !== TOKEN_LENGTH) return MALFORMED;
      const hash = hashToken(token);
      const known = cache.get(hash, monotonicNow);
      if (known !== undefined) {
        if (monotonicNow >= trust.until && !known.entry.revoked)
          return askInstead(
            () => judgeFresh(token, hash, use, audience),
            () => (deps.isOver(known.entry.session) ? REVOKED : judge(known, use, audience)),
          );
        const judged = judge(known, use, audience, now);
        if (judged !== EXPIRED) return judged;
        // An entry that looks run out may only be old: another process may have touched the session.
        cache.evict(known.entry.session.id);
        return judgeFresh(token, hash, use, audience);
      }
      if (!mint.isGenuine(token)) return MALFORMED;
      if (cache.isUnknown(hash)) return UNKNOWN;
      return judgeFresh(token, hash, use, audience);
    },

    recogniseDevice(id: SessionId): DeviceAuthentication | Promise<DeviceAuthentication> {
      const { now, monotonicNow } = timeNow();
      if (!SESSION_ID.test(id)) return MALFORMED;
      const place = signerPlace(id);
      const known = cache.get(place, monotonicNow);
      const ask = () =>
        cache.load(
          place,
          () => read(() => reader.findSigner(id)),
          (found) => judgeSigner(found),
        );
      if (known !== undefined) {
        if (monotonicNow < trust.until || known.entry.revoked) return judgeSigner(known, now);
        return askInstead(ask, () => judgeSigner(known));
      }
      return cache.isUnknown(place) ? UNKNOWN : ask();
    },

    deviceSigned(id: SessionId): void {
      const now = clock.now();
      const entry = cache.peek(id);
      if (entry === undefined) touches.record(id, now);
      else touch(entry, now);
    },
  };
}

/** Where the cache keeps the key of a device: the id stands where the hash of a token would, which is longer. */
const signerPlace = (id: SessionId) => id as string as TokenHash;

/** A device goes on for a person who may not sign in any more, until somebody unpairs it. */
function mayAct({ session, user }: CachedSession): boolean {
  return user.status === 'active' || session.kind === 'device';
}

function endOf({ session, lastSeenAt }: CachedSession, touchedAt = 0): number {
  const { idleTimeoutMs, expiresAt } = session;
  return sessionEndsAt({ lastSeenAt: Math.max(lastSeenAt, touchedAt), idleTimeoutMs, expiresAt });
}

/** Whether a session of the store is live, counting touches that are not written yet. */
export function isLiveNow(
  session: Parameters<typeof isLive>[0] & { id: SessionId },
  touches: Touches,
  now: number,
): boolean {
  return isLive({ ...session, lastSeenAt: Math.max(session.lastSeenAt, touches.get(session.id) ?? 0) }, now);
}

function clockBehind(): AppError {
  return new AppError(
    'unavailable',
    'clock_behind',
    'The clock of this machine is behind the time of the last recorded use; set it, and this ends by itself.',
    { retryAfterSeconds: 30 },
  );
}

/** How far a last use may be behind in the store: ten thousand busy sessions are then two hundred rows every few seconds. */
function touchResolutionMs(idleTimeoutMs: number | undefined): number {
  return Math.min((idleTimeoutMs ?? Infinity) * TOUCH_SHARE, MAX_TOUCH_RESOLUTION_MS);
}
