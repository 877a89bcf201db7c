import { clearCookie, cookieName, cookieValue, readCookie, setCookie } from '../http/cookies.ts';
import type { TokenHash } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import { MAX_FLOWS, ROUNDS_WINDOW_SECONDS } from './constants.ts';
import type { Flow } from './flows.ts';
import type { Site } from './guard-sites.ts';

/**
 * Cookies of sign-ins under way on one protected host: one for each, so that two tabs do not collide.
 * They are read only here, on the two paths of ours that the proxy hands over whole.
 */

/** A sign-in that this browser has begun on the host. */
export interface HeldFlow {
  readonly name: string;
  readonly hash: TokenHash;
}

/** `Set-Cookie` values that begin a flow, and end the oldest where there are too many. */
export function beginFlowCookies(
  request: Request,
  { origin }: Site,
  flow: Flow,
  maxAgeSeconds: number,
): string[] {
  const held = flowNames(request, origin).toSorted();
  const surplus = held.slice(0, Math.max(0, held.length - MAX_FLOWS + 1));
  const begun = setCookie(origin, cookieName(origin, `flow-${flow.id}`), flow.secret, maxAgeSeconds);
  return [...surplus.map((name) => clearCookie(origin, name)), begun];
}

/** Every flow that this browser has begun on the host and not ended. */
export function heldFlows(request: Request, { origin }: Site): HeldFlow[] {
  const header = request.headers.get('cookie') ?? '';
  return flowNames(request, origin).flatMap((name) => {
    const secret = cookieValue(header, name);
    return secret === undefined ? [] : [{ name, hash: hashToken(secret) }];
  });
}

/** How many sign-ins to this host ended within the last seconds, as the browser tells it: it can only fool itself. */
export function recentRounds(request: Request, { origin }: Site): number {
  const count = Number(readCookie(request, cookieName(origin, 'rounds')));
  return Number.isInteger(count) && count > 0 ? count : 0;
}

export function countRound(request: Request, site: Site): string {
  const rounds = String(recentRounds(request, site) + 1);
  return setCookie(site.origin, cookieName(site.origin, 'rounds'), rounds, ROUNDS_WINDOW_SECONDS);
}

export function forgetRounds({ origin }: Site): string {
  return clearCookie(origin, cookieName(origin, 'rounds'));
}

/** Whom the browser's last session on this host was with, in seconds: the longest that browsers keep a cookie. */
const TENANT_COOKIE_SECONDS = 400 * 86_400;

/**
 * Makes an answer that begins a session also the end of what somebody else, who was behind this host before, has left in the
 * browser: a service worker or a cached script of theirs would go on acting on pages of who is there now. A browser that
 * cannot say who it was is cleared too: pages can push cookies out.
 */
export function settleTenant(request: Request, { origin, tenant }: Site, response: Response): Response {
  if (tenant === undefined) return response;
  const name = cookieName(origin, TENANT);
  if (tenantIn(request, name) !== tenant) response.headers.set(...CLEARED);
  response.headers.append('set-cookie', setCookie(origin, name, tenant, TENANT_COOKIE_SECONDS));
  return response;
}

/**
 * The same for an answer to a browser without a session, which a service worker of an earlier one may keep from ever
 * signing in. Only where the browser says that there was one: requests of other sites come without cookies, and clear nothing.
 */
export function clearEarlierTenant(request: Request, { origin, tenant }: Site, response: Response): Response {
  const earlier = tenant === undefined ? undefined : tenantIn(request, cookieName(origin, TENANT));
  if (earlier !== undefined && earlier !== tenant) response.headers.set(...CLEARED);
  return response;
}

/** The suffix of the cookie that says whom the browser's last session on a host was with. */
const TENANT = 'tenant';
const CLEARED = ['clear-site-data', '"cache", "storage"'] as const;

function tenantIn(request: Request, name: string): string | undefined {
  try {
    return readCookie(request, name);
  } catch {
    return undefined;
  }
}

function flowNames(request: Request, origin: Site['origin']): string[] {
  const prefix = cookieName(origin, 'flow-');
  const pairs = (request.headers.get('cookie') ?? '').split(';');
  const names = pairs.map((pair) => pair.slice(0, Math.max(0, pair.indexOf('='))).trim());
  return [...new Set(names)].filter((name) => name.startsWith(prefix) && /^[\w-]+$/.test(name));
}
