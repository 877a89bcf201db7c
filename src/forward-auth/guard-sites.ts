import { cookieName } from '../http/cookies.ts';
import { hostOrigin, type PublicOrigin } from '../http/origin.ts';
import { AppError } from '../lib/app-error.ts';
import { hostAudience } from '../sessions/audience.ts';
import type { Audience } from '../sessions/model.ts';
import type { ForwardAuthRules, Rule } from './rules.ts';

/** A protected host as requests meet it. */
export interface Site {
  readonly origin: PublicOrigin;
  /** Name of the cookie of its child sessions. */
  readonly cookie: string;
  readonly audience: Audience;
  /** See `ProtectedHost.rulesFor`. */
  readonly rulesFor: (path: string) => readonly Rule[];
  /**
   * Who is behind the host, where that may change: what an earlier one left in a browser (scripts, caches, storage) goes
   * when the next one's first session begins there.
   */
  readonly tenant?: string;
  /** What the audit calls a refusal there; `forward_auth.denied` where absent. */
  readonly deniedAs?: 'device.denied';
}

/** Finds the site that a `Host` header (or its like) names. */
export interface SiteFinder {
  find(host: string): Site | undefined;
}

export interface Sites extends SiteFinder {
  readonly all: readonly Site[];
}

const HTTPS_PORT = 443;

export function protectedSites(rules: ForwardAuthRules): Sites {
  const sites = new Map(
    rules.hosts.map(({ host, secure, rulesFor }): [string, Site] => {
      const origin = hostOrigin(host, secure);
      return [host, { origin, cookie: siteCookieName(origin), audience: hostAudience(host), rulesFor }];
    }),
  );
  return {
    all: [...sites.values()],
    find: (host) => sites.get(host) ?? sites.get(rules.find(host)?.host ?? ''),
  };
}

/** Protected hosts, and the sites of other features after them. */
export function withOtherSites(sites: Sites, others: SiteFinder | undefined): SiteFinder {
  return others === undefined ? sites : { find: (host) => sites.find(host) ?? others.find(host) };
}

/** The site that a request was sent to. @throws AppError `not_found` on any other host. */
export function siteOfRequest(sites: SiteFinder, request: Request): Site {
  const site = sites.find(request.headers.get('host') ?? '');
  if (site === undefined) throw new AppError('not_found', 'not_found', 'There is nothing at this address.');
  return site;
}

/** Two sites on ports of one name share their cookies: another port than https's own is part of the name. */
function siteCookieName(origin: PublicOrigin): string {
  return origin.secure && origin.port !== HTTPS_PORT
    ? cookieName(origin, String(origin.port))
    : cookieName(origin);
}
