import { requireNavigation } from '../http/navigation.ts';
import type { PublicOrigin } from '../http/origin.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { MAX_ROUNDS, TICKET_PATH } from './constants.ts';
import type { Flows } from './flows.ts';
import { beginFlowCookies, countRound, forgetRounds, recentRounds } from './guard-cookies.ts';
import { type SiteFinder, siteOfRequest } from './guard-sites.ts';
import { loopPage } from './pages.ts';
import { redirectTo, sessionOf, withCookies, withQuery } from './routes-common.ts';
import { returnPathOf } from './start-url.ts';

export interface StartDeps {
  /** The origin of `url`. */
  origin: PublicOrigin;
  sites: SiteFinder;
  flows: Flows;
  ledger: Pick<Ledger, 'authenticate'>;
  flowLifetimeMs: number;
}

/**
 * On the protected host: begins a sign-in, and sends the browser to the appliance's own origin. Only a navigation does:
 * images on a page of a sibling host would push out what is under way, or make it look like a loop.
 */
export function startRoute({ origin, sites, flows, ledger, flowLifetimeMs }: StartDeps) {
  return async (request: Request): Promise<Response> => {
    const site = siteOfRequest(sites, request);
    requireNavigation(request);
    if (recentRounds(request, site) >= MAX_ROUNDS) return withCookies(loopPage(), [forgetRounds(site)]);
    const path = returnPathOf(request.url);
    if ((await sessionOf(ledger, request, site)) !== undefined) {
      return redirectTo(site.origin.origin + path, [countRound(request, site)]);
    }
    const flow = flows.begin({ host: site.origin.host, path });
    const ticketUrl = withQuery(origin.origin + TICKET_PATH, { flow: flow.hash, to: flow.sealed });
    const cookies = beginFlowCookies(request, site, flow, flowLifetimeMs / 1_000);
    return redirectTo(ticketUrl, cookies);
  };
}
