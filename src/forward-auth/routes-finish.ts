import { clearCookie, setCookie } from '../http/cookies.ts';
import { singleParam } from '../http/form.ts';
import { requestContext } from '../http/request-context.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issued, Ledger } from '../sessions/ledger.ts';
import { countRound, type HeldFlow, heldFlows, settleTenant } from './guard-cookies.ts';
import type { RefusalNotes } from './guard-refusals.ts';
import { type Site, type SiteFinder, siteOfRequest } from './guard-sites.ts';
import { uselessTicketPage } from './pages.ts';
import { redirectTo, sessionOf } from './routes-common.ts';
import type { HostTickets, Redemption } from './tickets.ts';

export interface FinishDeps {
  sites: SiteFinder;
  tickets: HostTickets;
  ledger: Pick<Ledger, 'authenticate'>;
  noteRefusal: RefusalNotes;
  clock: Clock;
}

type Redeemed = Extract<Redemption, { ok: true }>;

/** On the protected host: a ticket becomes a session with a cookie of that host alone. */
export function finishRoute({ sites, tickets, ledger, noteRefusal, clock }: FinishDeps) {
  const sessionCookie = (site: Site, { session, token }: Issued): string => {
    const lifetimeMs = session.expiresAt === undefined ? 0 : session.expiresAt - clock.now();
    return setCookie(site.origin, site.cookie, token, lifetimeMs / 1_000);
  };

  const goOn = (
    request: Request,
    site: Site,
    held: readonly HeldFlow[],
    { ticket, issued }: Redeemed,
  ): Response => {
    const cookies = [
      ...(issued === undefined ? [] : [sessionCookie(site, issued)]),
      countRound(request, site),
      ...held
        .filter(({ hash }) => hash === ticket.flowHash)
        .map(({ name }) => clearCookie(site.origin, name)),
    ];
    return settleTenant(request, site, redirectTo(site.origin.origin + ticket.returnPath, cookies));
  };

  return async (request: Request): Promise<Response> => {
    const site = siteOfRequest(sites, request);
    const ticket = singleParam(new URL(request.url).searchParams, 'ticket') ?? '';
    const held = heldFlows(request, site);
    const context = requestContext(request);
    const redeemed = await tickets.redeem({
      ticket,
      host: site.origin.host,
      flowHashes: held.map(({ hash }) => hash),
      existing: await sessionOf(ledger, request, site),
      address: context.address,
      userAgent: context.userAgent,
    });
    if (redeemed.ok) return goOn(request, site, held, redeemed);
    // What is known of a ticket that existed was written with its end.
    if (redeemed.reason === 'unknown') {
      noteRefusal('forward_auth.ticket', { reason: 'unknown', context, host: site.origin.host });
    }
    return uselessTicketPage();
  };
}
