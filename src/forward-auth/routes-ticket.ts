import { singleParam } from '../http/form.ts';
import { continueResponse } from '../http/page.ts';
import { requestContext } from '../http/request-context.ts';
import type { Caller, SessionGuard } from '../sessions/guard.ts';
import type { TokenHash } from '../sessions/model.ts';
import { canonicalPath } from './canonical-path.ts';
import { FINISH_PATH } from './constants.ts';
import type { Flows, FlowTarget } from './flows.ts';
import { pathOf } from './forwarded.ts';
import type { RefusalNotes } from './guard-refusals.ts';
import type { Site, SiteFinder } from './guard-sites.ts';
import { notAllowedPage, staleFlowPage } from './pages.ts';
import { redirectTo, withQuery } from './routes-common.ts';
import { mayPassAll } from './rules.ts';
import type { HostTickets } from './tickets.ts';

export interface TicketDeps {
  sites: SiteFinder;
  flows: Flows;
  tickets: HostTickets;
  sessions: Pick<SessionGuard, 'optionalBrowserSession'>;
  noteRefusal: RefusalNotes;
}

/** On the appliance's own origin: hands who is signed in, and may pass, a ticket for the flow that the link names. */
export function ticketRoute({ sites, flows, tickets, sessions, noteRefusal }: TicketDeps) {
  const mayPass = ({ path }: FlowTarget, site: Site, { user }: Caller): boolean => {
    const canonical = canonicalPath(pathOf(path));
    return canonical !== undefined && mayPassAll(site.rulesFor(canonical), user);
  };

  const refuse = (request: Request, caller: Caller, site: Site): Response => {
    const context = requestContext(request);
    const { host } = site.origin;
    noteRefusal(site.deniedAs ?? 'forward_auth.denied', { reason: 'not_allowed', context, host, caller });
    return notAllowedPage(caller.user, host);
  };

  return async (request: Request): Promise<Response> => {
    const { pathname, search, searchParams } = new URL(request.url);
    const flowHash = singleParam(searchParams, 'flow') ?? '';
    const target = flows.open(singleParam(searchParams, 'to') ?? '', flowHash);
    const site = target && sites.find(target.host);
    if (target === undefined || site === undefined) return staleFlowPage();

    const caller = await sessions.optionalBrowserSession(request);
    if (caller === undefined) {
      return redirectTo(withQuery('/sign-in', { return_to: `${pathname}${search}&${AFTER_SIGN_IN}=1` }));
    }
    if (!mayPass(target, site, caller)) return refuse(request, caller, site);
    const ticket = await tickets.issue({ session: caller.session, flowHash: flowHash as TokenHash, target });
    const finish = withQuery(site.origin.origin + FINISH_PATH, { ticket });
    return followsForeignForm(request, searchParams) ? continueTo(finish) : redirectTo(finish);
  };
}

/** Set on the way through sign-in. */
const AFTER_SIGN_IN = 'signed_in';

/**
 * Whether this may be the end of redirects that began with a form of a provider's: Chromium holds all of them to that
 * form's `form-action`, which knows the redirect URI but not the protected host.
 */
function followsForeignForm({ headers }: Request, params: URLSearchParams): boolean {
  return params.has(AFTER_SIGN_IN) && headers.get('sec-fetch-site') !== 'same-origin';
}

function continueTo(url: string): Response {
  return continueResponse({ title: 'You are signed in', url, headers: { 'referrer-policy': 'no-referrer' } });
}
