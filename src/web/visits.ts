import { cookieName, readCookie, setCookie } from '../http/cookies.ts';
import { requireSameOrigin } from '../http/csrf.ts';
import { readForm } from '../http/form.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import { KNOWN_BROWSER_LIFETIME_MS } from '../sign-in/known-browsers.ts';
import type { LocalSignIn, Visitor } from '../sign-in/local-session.ts';
import type { WebDeps } from './deps.ts';

/** Largest form, in bytes: the longest password, percent-encoded, fits several times. */
const FORM_MAX_BYTES = 65_536;

/** The suffix of the cookie by which a browser is known to accounts. Sign-out leaves it. */
const KNOWN_BROWSER = 'known';

/** A posted form of a page of ours. @throws AppError `forbidden` (`cross_origin`), and as `readForm` does. */
export async function readOwnForm(
  request: Request,
  { origin }: Pick<WebDeps, 'origin'>,
): Promise<URLSearchParams> {
  requireSameOrigin(request, origin.origin);
  return readForm(request, FORM_MAX_BYTES);
}

/** The browser that asks, as local sign-in wants to know it. */
export async function visitorOf(request: Request, { origin, guard, local }: WebDeps): Promise<Visitor> {
  const { address, userAgent } = requestContext(request);
  const caller = await guard.optionalBrowserSession(request);
  const browser = local.browsers.read(readCookie(request, cookieName(origin, KNOWN_BROWSER)));
  return { address, userAgent, browser, sessionId: caller?.session.id };
}

/** The cookies of a browser that has just signed in with a password or a link. */
export function signedInCookies(
  { issued, knownBrowser }: LocalSignIn,
  { origin, absoluteLifetimeMs }: WebDeps,
): string[] {
  return [
    setCookie(origin, cookieName(origin), issued.token, absoluteLifetimeMs / 1_000),
    setCookie(origin, cookieName(origin, KNOWN_BROWSER), knownBrowser, KNOWN_BROWSER_LIFETIME_MS / 1_000),
  ];
}

/** The answer to a form: the browser goes on to a page of ours. */
export function seeOther(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location });
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
}

/** Where a page for signed-in people sends a browser that is not. */
function toSignIn(request: Request): Response {
  const { pathname, search } = new URL(request.url);
  return seeOther(`/sign-in?return_to=${encodeURIComponent(pathname + search)}`);
}

/** The page, or the way to sign in for a browser without a live session. */
export async function orSignIn(request: Request, page: () => Promise<Response>): Promise<Response> {
  try {
    return await page();
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_signed_in') return toSignIn(request);
    throw error;
  }
}
