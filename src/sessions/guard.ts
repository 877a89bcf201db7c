import type { AuditRecorder } from '../audit/recorder.ts';
import type { ApiAccess } from '../http/api-route.ts';
import { bearerToken } from '../http/bearer.ts';
import { cookieName, readCookie } from '../http/cookies.ts';
import { requireSameOrigin } from '../http/csrf.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { rateLimiter } from '../http/rate-limit.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Actor, User } from '../users/model.ts';
import { type ApiScope, originAudience, scopeAudience } from './audience.ts';
import type { Ledger } from './ledger.ts';
import type { RecognisedSession } from './model.ts';

/** Who asks, and through which session. */
export interface Caller {
  readonly session: RecognisedSession;
  readonly user: User;
}

/** Who asks, for audit rows. */
export function actorOf(request: Request, { user, session }: Caller): CallingActor {
  const { address, userAgent } = requestContext(request);
  return { userId: user.id, sessionId: session.id, address, userAgent };
}

export type CallingActor = Actor & {
  readonly userId: User['id'];
  readonly sessionId: RecognisedSession['id'];
};

export interface SessionGuardDeps {
  ledger: Ledger;
  /** The origin of `url`. */
  origin: PublicOrigin;
  audit: AuditRecorder;
  clock: Clock;
}

/** Refused requests of one session that are kept in `WINDOW_MS`: a page of a sibling host can send thousands. */
const ROWS = 20;
const WINDOW_MS = 60_000;
const MAX_KEYS = 1_000;

export type SessionGuard = ReturnType<typeof sessionGuard>;

/**
 * Decides whom a request to the appliance's own origin speaks for.
 * A `Bearer` header decides alone: the cookie beside it is never looked at, neither as a fallback nor to add to it.
 * A browser attaches cookies by itself and never that header, so only cookies need the same-origin check.
 */
export function sessionGuard({ ledger, origin, audit, clock }: SessionGuardDeps) {
  const cookie = cookieName(origin);
  const browserAudience = originAudience(origin.origin);
  const rows = rateLimiter({ clock, limit: ROWS, windowMs: WINDOW_MS, maxKeys: MAX_KEYS });

  const fromCookie = async (request: Request): Promise<Caller | undefined> => {
    const token = readCookie(request, cookie);
    if (token === undefined) return undefined;
    const found = await ledger.authenticate(token, 'cookie', browserAudience);
    if (!found.ok) return undefined;
    refuseOtherOrigins(request, found);
    return { session: found.session, user: found.user };
  };

  const refuseOtherOrigins = (request: Request, caller: Caller) => {
    try {
      requireSameOrigin(request, origin.origin);
    } catch (error) {
      if (rows.take(caller.session.id).ok) note(request, caller);
      throw error;
    }
  };

  const note = (request: Request, { session, user }: Caller) => {
    const { address, userAgent } = requestContext(request);
    audit.note({
      at: clock.now(),
      action: 'csrf.refused',
      outcome: 'refused',
      actorUserId: user.id,
      sessionId: session.id,
      address,
      userAgent,
    });
  };

  const fromBearer = async (token: string, scope: ApiScope): Promise<Caller> => {
    const found = await ledger.authenticate(token, 'personal', scopeAudience(scope));
    if (!found.ok) throw invalidToken();
    return { session: found.session, user: found.user };
  };

  const browserSession = async (request: Request): Promise<Caller> => {
    if (bearerToken(request) !== undefined) throw browserSessionRequired();
    const caller = await fromCookie(request);
    if (caller === undefined) throw notSignedIn();
    return caller;
  };

  return {
    /**
     * The browser session behind the cookie.
     * @throws AppError `unauthorized` (`not_signed_in`); `forbidden` (`browser_session_required`) for a bearer token,
     * (`cross_origin`) for an unsafe method or a WebSocket from another origin.
     */
    browserSession,

    /** The same where signing in is optional: `undefined` without a live session. @throws AppError `forbidden` (`cross_origin`). */
    optionalBrowserSession: fromCookie,

    /**
     * The browser session behind the cookie, or the personal token in the header, which must name `scope`.
     * @throws AppError `unauthorized` (`not_signed_in`, `invalid_token`), `forbidden` (`cross_origin`).
     */
    async apiSession(request: Request, scope: ApiScope): Promise<Caller> {
      const token = bearerToken(request);
      if (token !== undefined) return fromBearer(token, scope);
      return browserSession(request);
    },

    /** An owner's browser session. @throws AppError as `browserSession`, and `forbidden` (`owner_required`). */
    async owner(request: Request): Promise<Caller> {
      const caller = await browserSession(request);
      if (caller.user.role !== 'owner') throw ownerRequired();
      return caller;
    },
  };
}

/** Who may call routes of `/api/v1`: what a route asks for and what is said of it are one thing. */
export function apiAccess(guard: SessionGuard) {
  return {
    /** A browser session, or a personal token that names the scope. */
    scoped: (scope: ApiScope): ApiAccess<Caller> => ({
      scope,
      authenticate: (request) => guard.apiSession(request, scope),
    }),
    /** A browser session alone. */
    browser: { authenticate: (request) => guard.browserSession(request) } satisfies ApiAccess<Caller>,
    /** An owner's browser session. */
    owner: { ownersOnly: true, authenticate: (request) => guard.owner(request) } satisfies ApiAccess<Caller>,
  };
}

export type SessionApiAccess = ReturnType<typeof apiAccess>;

/** Why a token is no good is nobody's business outside: unknown, ended and made for something else look alike. */
const invalidToken = () =>
  new AppError('unauthorized', 'invalid_token', 'The token is unknown, has ended, or was not made for this.');

const notSignedIn = () => new AppError('unauthorized', 'not_signed_in', 'Sign in first.');

const browserSessionRequired = () =>
  new AppError(
    'forbidden',
    'browser_session_required',
    'This needs a browser session; a token cannot do it.',
  );

const ownerRequired = () => new AppError('forbidden', 'owner_required', 'Only an owner may do this.');
