import { cookieName, setCookie } from '../http/cookies.ts';
import { singleParam } from '../http/form.ts';
import { requireNavigation } from '../http/navigation.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { addressKey } from '../http/rate-limit.ts';
import { requestContext } from '../http/request-context.ts';
import { safeReturnTo } from '../http/return-to.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Limiter } from '../lib/limiter.ts';
import type { SessionGuard } from '../sessions/guard.ts';
import type { SessionToken } from '../sessions/model.ts';
import { type AttemptCookies, readState } from './guard.ts';
import type { SignInVisitor } from './model.ts';
import { cookieHeaders, refusedPage } from './pages.ts';
import type { SignInService } from './service.ts';

export interface SignInRoutesDeps {
  service: SignInService;
  guard: SessionGuard;
  cookies: AttemptCookies;
  /** The origin of `url`. */
  origin: PublicOrigin;
  /** Whether a URL is on a host that sign-in may lead back to. */
  isReturnTarget: (url: URL) => boolean;
  landing: string;
  /** Life of the session cookie. */
  absoluteLifetimeMs: number;
  /** Takes a callback whose `state` is not one of an attempt; `undefined`: it is not theirs either. */
  otherCallbacks?: OtherCallbacks;
  /** What one address may begin, and what it may come back with. */
  limits: { readonly begun: Limiter; readonly completed: Limiter };
}

/** What else comes back to `/callback/<provider>`: a provider has one redirect URI for everything. */
export type OtherCallbacks = (
  request: Request,
  callback: { readonly provider: string; readonly query: URLSearchParams },
) => Promise<Response> | undefined;

/** `/sign-in/<provider>` and `/callback/<provider>`. */
export function signInRoutes(router: Router, deps: SignInRoutesDeps): void {
  router
    .get('/sign-in/:provider', ({ request, params }) => begin(deps, request, params.provider))
    .get('/callback/:provider', ({ request, params }) => complete(deps, request, params.provider));
}

async function begin(deps: SignInRoutesDeps, request: Request, provider: string): Promise<Response> {
  const { service, cookies, isReturnTarget, landing } = deps;
  requireNavigation(request);
  const query = queryOf(request);
  const returnTo = safeReturnTo(singleParam(query, 'return_to'), isReturnTarget, landing);
  await takeFrom(deps.limits.begun, request);
  const visitor = await visitorOf(deps.guard, request);
  const begun = await service.begin({ provider, purpose: 'sign_in', returnTo, visitor });
  const headers = cookieHeaders(cookies.begin(request, begun));
  headers.set('location', begun.location);
  return new Response(null, { status: 303, headers });
}

async function complete(deps: SignInRoutesDeps, request: Request, provider: string): Promise<Response> {
  const { service, cookies } = deps;
  await takeFrom(deps.limits.completed, request);
  const query = queryOf(request);
  if (new Set(query.keys()).size !== query.size) throw duplicateParameter();
  const other = deps.otherCallbacks?.(request, { provider, query });
  if (other !== undefined) return other;
  const state = readState(query.get('state') ?? undefined);
  const browserSecret = state === undefined ? undefined : cookies.read(request, state);
  const visitor = await visitorOf(deps.guard, request);
  const outcome = await service.complete({ provider, query, state, browserSecret, visitor });
  const ended = state === undefined || browserSecret === undefined ? [] : [cookies.end(state)];
  if (!outcome.ok) return refusedPage(outcome.refusal, outcome.signOutUrl, ended);
  const headers = cookieHeaders([...ended, sessionCookie(deps, outcome.token)]);
  headers.set('location', outcome.returnTo);
  return new Response(null, { status: 303, headers });
}

function sessionCookie({ origin, absoluteLifetimeMs }: SignInRoutesDeps, token: SessionToken): string {
  return setCookie(origin, cookieName(origin), token, absoluteLifetimeMs / 1000);
}

async function visitorOf(guard: SessionGuard, request: Request): Promise<SignInVisitor> {
  const { address, userAgent } = requestContext(request);
  const caller = await guard.optionalBrowserSession(request);
  return { address, userAgent, sessionId: caller?.session.id };
}

/** @throws AppError `too_many_requests` (`too_many_attempts`). */
async function takeFrom(limit: Limiter, request: Request): Promise<void> {
  const allowance = await limit.take(addressKey(requestContext(request).address));
  if (allowance.ok) return;
  const { retryAfterSeconds } = allowance;
  const message = 'Too many sign-ins came from this address. Wait a moment.';
  throw new AppError('too_many_requests', 'too_many_attempts', message, { retryAfterSeconds });
}

export function queryOf({ url }: Request): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start));
}

const duplicateParameter = () =>
  new AppError('bad_request', 'duplicate_parameter', 'A parameter was sent twice.');
