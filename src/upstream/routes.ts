import { requestContext } from '../http/request-context.ts';
import type { Caller, SessionGuard } from '../sessions/guard.ts';
import type { AttemptCookies } from '../sign-in/guard.ts';
import type { OtherCallbacks } from '../sign-in/routes.ts';
import type { Linker, Linking } from './linking.ts';
import { linkRefusedPage } from './pages.ts';

/** An `UpstreamLinkId` as `newId` makes it. */
const LINK_ID = /^lnk_[a-z2-7]{26}$/;

export interface LinkCallbackDeps {
  linking: Linking;
  guard: Pick<SessionGuard, 'optionalBrowserSession'>;
  cookies: AttemptCookies;
  linkUrl: (provider: string, returnTo: string) => string;
}

/** The callbacks of links, which come to the redirect URI that sign-ins at the same provider have. */
export function linkCallbacks(deps: LinkCallbackDeps): OtherCallbacks {
  return (request, { provider, query }) => {
    const state = query.get('state') ?? '';
    return LINK_ID.test(state) ? complete(deps, request, { provider, query, state }) : undefined;
  };
}

async function complete(
  { linking, guard, cookies, linkUrl }: LinkCallbackDeps,
  request: Request,
  { provider, query, state }: { provider: string; query: URLSearchParams; state: string },
): Promise<Response> {
  const browserSecret = cookies.read(request, state);
  const caller = await guard.optionalBrowserSession(request);
  const againAt = (returnTo?: string) => linkUrl(provider, returnTo ?? '/account/links');
  if (caller === undefined) return linkRefusedPage('other_browser', againAt(), []);
  const outcome = await linking.complete(
    { provider, query, state, browserSecret },
    linkerOf(request, caller),
  );
  const ended = browserSecret === undefined ? [] : [cookies.end(state)];
  if (!outcome.ok) return linkRefusedPage(outcome.refusal, againAt(outcome.returnTo), ended);
  const headers = new Headers({ location: outcome.returnTo });
  for (const cookie of ended) headers.append('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
}

/** Who links, for the row and the audit. */
export function linkerOf(request: Request, { user, session }: Caller): Linker {
  const { address, userAgent } = requestContext(request);
  return { userId: user.id, sessionId: session.id, address, userAgent };
}
