import { canonicalPath } from './canonical-path.ts';
import { type Dialect, type HeaderRecord, pathOf } from './forwarded.ts';
import type { Site, Sites } from './guard-sites.ts';
import { hasDisguisedIdentity } from './identity-headers.ts';
import type { RefusalReason } from './model.ts';
import type { Rule } from './rules.ts';
import { isPosternPath } from './start-url.ts';

/** A request to a protected host, found to be clear in what it asks for. */
export interface Asked {
  readonly site: Site;
  /** At least one. */
  readonly rules: readonly Rule[];
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly target: string;
}

export interface Refused {
  readonly refusal: RefusalReason;
  readonly site?: Site | undefined;
}

/** Finds out what a trusted proxy asks about, before anybody's credential is looked at. */
export function readAsked(read: Dialect, sites: Sites, headers: HeaderRecord): Asked | Refused {
  const forwarded = read(headers);
  if (forwarded === undefined) return { refusal: 'forwarded_headers' };
  const { host, secure, method, target } = forwarded;
  const site = sites.find(host);
  if (site === undefined) return { refusal: 'unprotected_host' };
  if (secure !== site.origin.secure) return { refusal: 'insecure_scheme', site };
  if (hasDisguisedIdentity(headers)) return { refusal: 'disguised_header', site };
  if (asksForHttp2(headers)) return { refusal: 'foreign_upgrade', site };
  const path = canonicalPath(pathOf(target));
  if (path === undefined) return { refusal: 'ambiguous_path', site };
  if (isPosternPath(path)) return { refusal: 'postern_path', site };
  const rules = site.rulesFor(path);
  return rules.length === 0 ? { refusal: 'unmatched_path', site } : { site, rules, method, target };
}

/**
 * Whether the app could take the connection over with HTTP/2, whose further requests nobody would check. Proxies keep
 * `Upgrade` from us, but no app may do it without this header (RFC 7540 section 3.2.1).
 */
function asksForHttp2(headers: HeaderRecord): boolean {
  return headers['http2-settings'] !== undefined;
}
