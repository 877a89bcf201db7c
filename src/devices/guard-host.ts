import { ownBearerToken } from '../forward-auth/authorization.ts';
import type { HeaderRecord } from '../forward-auth/forwarded.ts';
import { clearEarlierTenant } from '../forward-auth/guard-cookies.ts';
import { type RefusalNotes, refusalError } from '../forward-auth/guard-refusals.ts';
import { MALFORMED, siteCookie } from '../forward-auth/guard-site-cookie.ts';
import { hasDisguisedIdentity } from '../forward-auth/identity-headers.ts';
import type { RefusalReason } from '../forward-auth/model.ts';
import { unsentFormPage } from '../forward-auth/pages.ts';
import {
  hasAcceptedOrigin,
  isFormOfPage,
  isTopLevelNavigation,
  needsOrigin,
} from '../forward-auth/request-kind.ts';
import { startUrl } from '../forward-auth/start-url.ts';
import { unknownHost } from '../http/host.ts';
import type { NativeConnection, NativeHandler } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { problemResponse } from '../http/problem.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import { guestLinkOf, reachAudience } from '../sessions/audience.ts';
import type { Caller } from '../sessions/guard.ts';
import type { Authentication, Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import type { User } from '../users/model.ts';
import type { DeviceAccess, ReachedDevice } from './access.ts';
import { requireCarriedMethod, targetOf } from './guard-request.ts';
import type { DeviceSite, DeviceSites } from './guard-sites.ts';
import type { ReachOutcomes } from './metrics-access.ts';

/** Somebody who may, at one service of one device. */
export interface Reach<Device extends ReachedDevice = ReachedDevice> {
  readonly device: Device;
  readonly service: string;
  /** What is open ends with this session. */
  readonly session: SessionId;
  /** Who it is; nobody for a guest, who has no name here. */
  readonly person: User | undefined;
}

/** Carries a request to the device and its answer back; a WebSocket as well. @throws AppError where it cannot. */
export type Relay<Device extends ReachedDevice> = (
  request: Request,
  reach: Reach<Device>,
  connection: NativeConnection,
) => Response | Promise<Response>;

export interface DeviceHostGuardDeps<Device extends ReachedDevice> {
  sites: DeviceSites<Device>;
  /** The origin of `url`. */
  origin: PublicOrigin;
  ledger: Pick<Ledger, 'authenticate'>;
  access: DeviceAccess;
  relay: Relay<Device>;
  outcomes: ReachOutcomes;
  noteRefusal: RefusalNotes;
}

/** One request to the host of a service. */
interface Visit<Device extends ReachedDevice> {
  readonly request: Request;
  readonly connection: NativeConnection;
  readonly headers: HeaderRecord;
  readonly site: DeviceSite<Device>;
}

/**
 * Decides on every request to the host of a device's service, and hands it on. The checks are those of forward-auth, and
 * one more: what another origin's page asks for by itself does not pass with a cookie, because that page may be a device's.
 */
export function deviceHostGuard<Device extends ReachedDevice>(
  deps: DeviceHostGuardDeps<Device>,
): NativeHandler {
  const { sites, origin, ledger, access, relay, outcomes, noteRefusal } = deps;

  const refuse = ({ request, site }: Visit<Device>, reason: RefusalReason, caller?: Caller): never => {
    outcomes.refused(reason);
    const context = requestContext(request);
    noteRefusal('device.denied', { reason, context, host: site.origin.host, caller });
    throw refusalError(reason);
  };

  const anonymous = (visit: Visit<Device>): Response => {
    outcomes.anonymous();
    return clearEarlierTenant(visit.request, visit.site, signInFirst(visit));
  };

  const signInFirst = ({ request, headers, site }: Visit<Device>): Response => {
    if (isTopLevelNavigation(request.method, headers)) {
      const location = startUrl(site.origin.origin, targetOf(request));
      return new Response(null, { status: 302, headers: { location, 'cache-control': 'no-store' } });
    }
    if (isFormOfPage(request.method, headers)) return unsentFormPage();
    return problemResponse(notSignedIn(), requestContext(request));
  };

  const decide = (visit: Visit<Device>, found: Authentication, byCookie: boolean) => {
    if (!found.ok) return anonymous(visit);
    const { request, connection, headers, site } = visit;
    const { device, service } = site;
    const isGuest = guestLinkOf(found.session) !== undefined;
    if (isGuest && found.session.parentId !== device.sessionId) return anonymous(visit);
    if (!access.mayReach(found.user, device, service)) return refuse(visit, 'not_allowed', found);
    if (byCookie && !isOwnDoing(request.method, headers, site)) return refuse(visit, 'cross_origin', found);
    outcomes.allowed();
    const person = isGuest ? undefined : found.user;
    return relay(request, { device, service, session: found.session.id, person }, connection);
  };

  const identify = (visit: Visit<Device>) => {
    const { headers, site } = visit;
    const bearer = ownBearerToken(headers['authorization']);
    const token = bearer ?? siteCookie(headers, site);
    if (token === undefined) return anonymous(visit);
    if (token === MALFORMED) return refuse(visit, 'bad_cookie');
    const byCookie = bearer === undefined;
    const found = byCookie
      ? ledger.authenticate(token, 'cookie', site.audience)
      : ledger.authenticate(token, 'personal', reachAudience(site.device.id, site.service));
    if (!(found instanceof Promise)) return decide(visit, found, byCookie);
    return found.then((late) => decide(visit, late, byCookie));
  };

  return (request, _peer, connection) => {
    const headers: HeaderRecord = request.headers.toJSON();
    const site = sites.find(headers['host'] ?? '');
    if (site === undefined) throw unknownHost(origin);
    requireCarriedMethod(request);
    const visit = { request, connection, headers, site };
    if (hasDisguisedIdentity(headers)) return refuse(visit, 'disguised_header');
    if (asksForOtherProtocol(headers)) return refuse(visit, 'foreign_upgrade');
    return identify(visit);
  };
}

/**
 * Whether the person, or a page of this very host, is behind a request that a cookie authenticates: `SameSite` lets pages of
 * sibling hosts through, and those are other devices. They may lead somebody here, and nothing else.
 */
function isOwnDoing(method: string, headers: HeaderRecord, site: DeviceSite): boolean {
  if (needsOrigin(method, headers)) return hasAcceptedOrigin(headers, site.origin.origin, site.rulesFor(''));
  const from = headers['sec-fetch-site'];
  if (from === undefined || from === 'same-origin' || from === 'none') return true;
  // Browsers may fetch ahead what a page names, and say so; nobody has gone there yet.
  return isTopLevelNavigation(method, headers) && headers['sec-purpose'] === undefined;
}

/** Of all protocols that a connection may change to, only WebSockets are carried (RFC 9110 section 7.8). */
function asksForOtherProtocol(headers: HeaderRecord): boolean {
  const upgrade = headers['upgrade'];
  return (
    headers['http2-settings'] !== undefined ||
    (upgrade !== undefined && upgrade.trim().toLowerCase() !== 'websocket')
  );
}

const notSignedIn = () => new AppError('unauthorized', 'not_signed_in', 'Sign in first.');
