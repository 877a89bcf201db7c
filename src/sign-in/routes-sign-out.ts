import { clearCookie, cookieName } from '../http/cookies.ts';
import { requireSameOrigin } from '../http/csrf.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { continueResponse } from '../http/page.ts';
import { requestContext } from '../http/request-context.ts';
import type { Router } from '../http/router.ts';
import type { SessionGuard } from '../sessions/guard.ts';
import type { AttemptCookies } from './guard.ts';
import { cookieHeaders, signedOutPage, signOutPage } from './pages.ts';
import type { ProviderSignOut } from './provider-sign-out.ts';
import { queryOf } from './routes.ts';
import type { SignOut } from './sign-out.ts';

export interface SignOutRoutesDeps {
  signOut: SignOut;
  providerSignOut: ProviderSignOut;
  guard: SessionGuard;
  cookies: AttemptCookies;
  /** The origin of `url`. */
  origin: PublicOrigin;
}

/** What pages kept in this browser goes; `"cookies"` would wipe those of the whole registrable domain. */
const CLEAR_STORAGE = '"storage"';

/** `/sign-out` and `/signed-out`. */
export function signOutRoutes(router: Router, deps: SignOutRoutesDeps): void {
  const { guard, providerSignOut } = deps;
  router
    .get('/sign-out', async ({ request }) => signOutPage((await guard.optionalBrowserSession(request))?.user))
    .post('/sign-out', ({ request }) => leave(deps, request))
    .get('/signed-out', async ({ request }) => {
      const caller = await guard.optionalBrowserSession(request);
      return signedOutPage(providerSignOut.labelOf(queryOf(request).get('state') ?? undefined), caller?.user);
    });
}

async function leave(
  { signOut, guard, cookies, origin }: SignOutRoutesDeps,
  request: Request,
): Promise<Response> {
  const caller = await guard.optionalBrowserSession(request);
  requireSameOrigin(request, origin.origin);
  const { address, userAgent } = requestContext(request);
  const ended = caller === undefined ? undefined : await signOut(caller.session, { address, userAgent });
  const headers = cookieHeaders([clearCookie(origin, cookieName(origin)), ...cookies.endAll(request)]);
  headers.set('clear-site-data', CLEAR_STORAGE);
  if (ended?.continueAt !== undefined) {
    return continueResponse({ title: 'Signing out', url: ended.continueAt, headers });
  }
  headers.set('location', '/signed-out');
  return new Response(null, { status: 303, headers });
}
