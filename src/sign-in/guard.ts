import { clearCookie, cookieName, readCookie, setCookie } from '../http/cookies.ts';
import type { PublicOrigin } from '../http/origin.ts';

/** Attempts one browser may have under way; their cookies must never fill its request head. */
export const MAX_ATTEMPTS_PER_BROWSER = 5;

/** An `AttemptId` as `newId` makes it. */
const ATTEMPT_ID = /^att_[a-z2-7]{26}$/;

/** Characters of the id that name the cookie: its end, which is random. */
const NAME_LENGTH = 12;

/** A sign-in, or a link of an account, that a browser has begun. */
export interface Begun {
  /** Also `state`. Its end, which is random, names the cookie. */
  readonly id: string;
  readonly browserSecret: string;
  readonly lifetimeMs: number;
}

export type AttemptCookies = ReturnType<typeof attemptCookies>;

/** Binds attempts to the browser that began them: one short-lived cookie each, so that two tabs do not collide. */
export function attemptCookies(origin: PublicOrigin) {
  const nameOf = (id: string) => cookieName(origin, `at-${id.slice(-NAME_LENGTH)}`);
  const prefix = cookieName(origin, 'at-');

  /** The names this browser sent, oldest first (RFC 6265 section 5.4). */
  const sent = (request: Request): string[] => {
    const pairs = request.headers.get('cookie')?.split(';') ?? [];
    const names = pairs.map((pair) => pair.slice(0, pair.indexOf('=')).trim());
    return [...new Set(names)].filter((name) => name.startsWith(prefix) && /^[\w-]+$/.test(name));
  };
  const clear = (names: readonly string[]) => names.map((name) => clearCookie(origin, name));

  return {
    /** `Set-Cookie` values for a new attempt; the oldest others make room. */
    begin(request: Request, { id, browserSecret, lifetimeMs }: Begun): string[] {
      const tooMany = sent(request).slice(0, -(MAX_ATTEMPTS_PER_BROWSER - 1));
      return [...clear(tooMany), setCookie(origin, nameOf(id), browserSecret, Math.ceil(lifetimeMs / 1000))];
    },

    /** The secret this browser holds for an attempt. @throws AppError `bad_request` for a doubled or malformed cookie. */
    read: (request: Request, state: string): string | undefined => readCookie(request, nameOf(state)),

    /** Removes the cookie of an attempt that has been completed. */
    end: (state: string): string => clearCookie(origin, nameOf(state)),

    /** Removes the cookies of all attempts. */
    endAll: (request: Request): string[] => clear(sent(request)),
  };
}

/** The `state` of a callback when it can be one of ours. */
export function readState(state: string | undefined): string | undefined {
  return state !== undefined && ATTEMPT_ID.test(state) ? state : undefined;
}
