import type { PublicOrigin } from './origin.ts';

/** For answers that are no page. A page brings a policy of its own. */
const NOTHING_AT_ALL = "default-src 'none'; frame-ancestors 'none'";

const ALWAYS: readonly (readonly [name: string, value: string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
];

/** Where an answer is free to say something else. */
const UNLESS_SET: readonly (readonly [name: string, value: string])[] = [
  ['content-security-policy', NOTHING_AT_ALL],
  ['cache-control', 'no-store'],
  // `no-referrer` would make browsers send `Origin: null` with our own forms (Fetch section 3.2).
  ['referrer-policy', 'same-origin'],
];

/** One year (RFC 6797). Hosts below ours are other people's, so that they are not included. */
const TRANSPORT_SECURITY = 'max-age=31536000';

/** Adds to an answer what every answer says. */
export function setSecurityHeaders(headers: Headers, host: string | undefined, origin: PublicOrigin): void {
  for (const [name, value] of ALWAYS) headers.set(name, value);
  for (const [name, value] of UNLESS_SET) if (!headers.has(name)) headers.set(name, value);
  if (origin.secure && host === origin.host) headers.set('strict-transport-security', TRANSPORT_SECURITY);
}
