import { settleTenant } from '../forward-auth/guard-cookies.ts';
import type { RefusalNotes } from '../forward-auth/guard-refusals.ts';
import { redirectTo, sessionOf } from '../forward-auth/routes-common.ts';
import { setCookie } from '../http/cookies.ts';
import { requireSameOrigin } from '../http/csrf.ts';
import { notFound } from '../http/errors.ts';
import { readForm, singleParam } from '../http/form.ts';
import { requestContext } from '../http/request-context.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issued, Ledger } from '../sessions/ledger.ts';
import { readSecret } from '../sign-in/single-use-secret.ts';
import type { DeviceSite, DeviceSites } from './guard-sites.ts';
import { GUEST_PATH, type GuestLinks } from './guest-links.ts';
import { guestPage } from './pages-guest.ts';

export interface GuestRoutesDeps {
  sites: DeviceSites;
  links: Pick<GuestLinks, 'redeem'>;
  ledger: Pick<Ledger, 'authenticate'>;
  noteRefusal: RefusalNotes;
  clock: Clock;
}

/** Largest form, in bytes: a link and no more. */
const FORM_MAX_BYTES = 4_096;

/** On the host of a service: the page of a guest link, and the click that makes a session of it. */
export function guestRoutes(router: Router, deps: GuestRoutesDeps): void {
  const { sites } = deps;
  const siteOf = (request: Request): DeviceSite => {
    const site = sites.find(request.headers.get('host') ?? '');
    if (site === undefined) throw notFound();
    return site;
  };
  router
    .get(GUEST_PATH, ({ request }) => guestPage(siteOf(request).origin.host))
    .post(GUEST_PATH, ({ request }) => enter(deps, request, siteOf(request)));
}

async function enter(deps: GuestRoutesDeps, request: Request, site: DeviceSite): Promise<Response> {
  requireSameOrigin(request, site.origin.origin);
  const form = await readForm(request, FORM_MAX_BYTES);
  // Who can come in already keeps what they have, and uses nothing up.
  if ((await sessionOf(deps.ledger, request, site)) !== undefined) return goIn(request, site);
  try {
    const issued = await redeem(deps, request, site, singleParam(form, 'link'));
    return goIn(request, site, [sessionCookie(deps, site, issued)]);
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'gone') throw error;
    const context = requestContext(request);
    deps.noteRefusal('device.denied', { reason: error.code, context, host: site.origin.host });
    return guestPage(site.origin.host, error);
  }
}

function redeem({ links }: GuestRoutesDeps, request: Request, site: DeviceSite, typed: string | undefined) {
  const { address, userAgent } = requestContext(request);
  const { device, service, origin } = site;
  const secret = readSecret(typed) ?? '';
  return links.redeem({ secret, device, service, host: origin.host, address, userAgent });
}

function goIn(request: Request, site: DeviceSite, cookies: readonly string[] = []): Response {
  return settleTenant(request, site, redirectTo(`${site.origin.origin}/`, cookies));
}

function sessionCookie({ clock }: GuestRoutesDeps, { origin, cookie }: DeviceSite, issued: Issued): string {
  const { session, token } = issued;
  const lifetimeMs = session.expiresAt === undefined ? 0 : session.expiresAt - clock.now();
  return setCookie(origin, cookie, token, lifetimeMs / 1_000);
}
