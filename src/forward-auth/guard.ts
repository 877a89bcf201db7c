import { stripOurCookies } from '../http/cookies.ts';
import type { NativeHandler, NativeRoutes, Peer } from '../http/native.ts';
import { problemResponse } from '../http/problem.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Caller } from '../sessions/guard.ts';
import type { Authentication, Ledger } from '../sessions/ledger.ts';
import type { User } from '../users/model.ts';
import { foreignAuthorization, ownBearerToken } from './authorization.ts';
import { CHECK_PATH, NGINX_CHECK_PATH } from './constants.ts';
import { type Dialect, type HeaderRecord, readForwarded, readNginxForwarded } from './forwarded.ts';
import { type Asked, type Refused, readAsked } from './guard-asked.ts';
import { type RefusalNotes, refusalError } from './guard-refusals.ts';
import { MALFORMED, siteCookie } from './guard-site-cookie.ts';
import type { Sites } from './guard-sites.ts';
import { type IdentityHeaders, identityHeaders, NOBODY } from './identity-headers.ts';
import { checkOutcomes } from './metrics.ts';
import { unsentFormPage } from './pages.ts';
import { hasAcceptedOrigin, isFormOfPage, isTopLevelNavigation, needsOrigin } from './request-kind.ts';
import { mayPassAll } from './rules.ts';
import { startUrl } from './start-url.ts';

export interface ForwardAuthGuardDeps {
  sites: Sites;
  ledger: Pick<Ledger, 'authenticate'>;
  metrics: Metrics;
  noteRefusal: RefusalNotes;
}

/** How one kind of proxy asks, and what it understands. */
interface ProxyKind {
  readonly read: Dialect;
  /** nginx knows 2xx, 401 and 403; anything else becomes a 500 of its own. */
  readonly knowsEveryStatus: boolean;
}

const CADDY_OR_TRAEFIK: ProxyKind = { read: readForwarded, knowsEveryStatus: true };
const NGINX: ProxyKind = { read: readNginxForwarded, knowsEveryStatus: false };

/** One check under way. */
interface Check {
  readonly request: Request;
  readonly proxy: ProxyKind;
  readonly headers: HeaderRecord;
}

const UNTRUSTED: Refused = { refusal: 'untrusted_peer' };

/**
 * The checks that proxies make for every request to a protected host, as native routes.
 * A 2xx answer carries what the proxy copies into the request it lets pass: the four identity headers, and `Cookie` and
 * `Authorization` without ours. All six are always there, so that nothing a client sent in their place survives.
 */
export function forwardAuthGuard({
  sites,
  ledger,
  metrics,
  noteRefusal,
}: ForwardAuthGuardDeps): NativeRoutes {
  const outcomes = checkOutcomes(metrics);

  const refuse = ({ request, proxy }: Check, { refusal, site }: Refused, caller?: Caller): never => {
    outcomes.refused(refusal);
    const host = site?.origin.host;
    noteRefusal('forward_auth.denied', { reason: refusal, context: requestContext(request), host, caller });
    const error = refusalError(refusal);
    throw proxy.knowsEveryStatus ? error : new AppError('forbidden', error.code, error.message);
  };

  const anonymous = ({ request, proxy, headers }: Check, { site, method, target }: Asked) => {
    outcomes.anonymous();
    if (!isTopLevelNavigation(method, headers)) {
      // nginx passes no body of ours on.
      if (proxy.knowsEveryStatus && isFormOfPage(method, headers)) return unsentFormPage();
      return problemResponse(notSignedIn(), requestContext(request));
    }
    return new Response(null, {
      status: proxy.knowsEveryStatus ? 302 : 401,
      headers: { location: startUrl(site.origin.origin, target), 'cache-control': 'no-store' },
    });
  };

  const decide = (check: Check, asked: Asked, found: Authentication, byCookie: boolean) => {
    if (!found.ok) return anonymous(check, asked);
    const { headers } = check;
    const { site, rules, method } = asked;
    if (!mayPassAll(rules, found.user)) return refuse(check, { refusal: 'not_allowed', site }, found);
    if (byCookie && needsOrigin(method, headers) && !hasAcceptedOrigin(headers, site.origin.origin, rules)) {
      return refuse(check, { refusal: 'cross_origin', site }, found);
    }
    outcomes.allowed();
    return letPass(headers, passOf(found.user));
  };

  const identify = (check: Check, asked: Asked) => {
    const { site } = asked;
    const bearer = ownBearerToken(check.headers['authorization']);
    const token = bearer ?? siteCookie(check.headers, site);
    if (token === undefined) return anonymous(check, asked);
    if (token === MALFORMED) return refuse(check, { refusal: 'bad_cookie', site });
    const byCookie = bearer === undefined;
    const found = ledger.authenticate(token, byCookie ? 'cookie' : 'personal', site.audience);
    if (!(found instanceof Promise)) return decide(check, asked, found, byCookie);
    return found.then((late) => decide(check, asked, late, byCookie));
  };

  const checkFor =
    (proxy: ProxyKind): NativeHandler =>
    (request: Request, peer: Peer) => {
      const headers: HeaderRecord = request.headers.toJSON();
      const check = { request, proxy, headers };
      const asked = peer.trusted ? readAsked(proxy.read, sites, headers) : UNTRUSTED;
      if ('refusal' in asked) return refuse(check, asked);
      if (!asked.rules.every(({ isPublic }) => isPublic)) return identify(check, asked);
      outcomes.public();
      return letPass(headers, PASS_OF_NOBODY);
    };

  return { [CHECK_PATH]: checkFor(CADDY_OR_TRAEFIK), [NGINX_CHECK_PATH]: checkFor(NGINX) };
}

/** What a passing answer says of one person. */
interface Pass {
  readonly identity: IdentityHeaders;
  /** The whole answer for a request with no credentials but ours; made for those who come a second time. */
  bare: ResponseInit | undefined;
  isUsed: boolean;
}

const PASS_OF_NOBODY = newPass(NOBODY);

/** The ledger hands out one object per version of a person, so what was written for it stays true while it lives. */
const passes = new WeakMap<User, Pass>();

function passOf(user: User): Pass {
  const known = passes.get(user);
  if (known !== undefined) return known;
  const made = newPass(identityHeaders(user));
  passes.set(user, made);
  return made;
}

function newPass(identity: IdentityHeaders): Pass {
  return { identity, bare: undefined, isUsed: false };
}

function letPass(headers: HeaderRecord, pass: Pass): Response {
  const cookie = headers['cookie'];
  const rest = cookie === undefined ? '' : stripOurCookies(cookie);
  const authorization = foreignAuthorization(headers['authorization']);
  if (pass.isUsed && rest === '' && authorization === '') {
    pass.bare ??= passing(new Headers({ ...pass.identity, Cookie: '', Authorization: '' }));
    return new Response(null, pass.bare);
  }
  pass.isUsed = true;
  return new Response(null, passing({ ...pass.identity, Cookie: rest, Authorization: authorization }));
}

const passing = (headers: Headers | Record<string, string>): ResponseInit => ({ status: 200, headers });

const notSignedIn = () => new AppError('unauthorized', 'not_signed_in', 'Sign in first.');
