import { foreignAuthorization } from '../forward-auth/authorization.ts';
import { stripOurCookies } from '../http/cookies.ts';

/**
 * What passes between a browser and a device's page at a host of its own: nothing of ours goes in, and nothing comes out
 * that would reach beyond that host.
 */

/** `Cookie` and `Authorization` without ours; both are absent when nothing is left. */
export function withoutOurCredentials(headers: Headers): Headers {
  const cookie = headers.get('cookie');
  if (cookie !== null) setOrDelete(headers, 'cookie', stripOurCookies(cookie));
  const authorization = headers.get('authorization');
  if (authorization !== null) setOrDelete(headers, 'authorization', foreignAuthorization(authorization));
  return headers;
}

function setOrDelete(headers: Headers, name: string, value: string): void {
  if (value === '') headers.delete(name);
  else headers.set(name, value);
}

/**
 * Headers of an answer that speak for more than the page behind them: of other hosts of the same site, of how this host is
 * reached at all, or of our own pages below `/.postern/`.
 */
const NOT_A_DEVICES_TO_SAY = [
  // Empties the storage of the whole site; its cookies include those of hosts beside this one.
  'clear-site-data',
  // Where and how this host is reached is the operator's to say.
  'strict-transport-security',
  'public-key-pins',
  'public-key-pins-report-only',
  'expect-ct',
  'alt-svc',
  // Tell their receiver of requests to our pages too, and of failures on the way.
  'nel',
  'report-to',
  'reporting-endpoints',
  // Would bind sessions to keys for the whole site (Device Bound Session Credentials).
  'sec-session-registration',
  'secure-session-registration',
  'sec-session-challenge',
  'secure-session-challenge',
] as const;

export function isDevicesToSay(name: string): boolean {
  return !NOT_A_DEVICES_TO_SAY.some((each) => each === name.toLowerCase());
}

/**
 * A `Set-Cookie` value that stays on the host it came from, or `undefined` where it would set or hide a cookie of ours.
 * `Domain` goes, in whichever spelling a browser reads it (RFC 6265 section 5.2).
 */
export function ownHostCookie(value: string): string | undefined {
  const [pair = '', ...attributes] = value.split(';');
  if (holdsControl(value) || isOurs(pair)) return undefined;
  const kept = attributes.filter((attribute) => nameOfAttribute(attribute) !== 'domain');
  return [pair, ...kept].join(';');
}

/** One without a name comes back as its value alone, which may read like a cookie of ours (RFC 6265bis section 5.6). */
function isOurs(pair: string): boolean {
  const sent = pair.replace(/^[\s=]+/, '');
  return stripOurCookies(sent) !== sent.trim() || stripOurCookies(`${sent}=`) === '';
}

function nameOfAttribute(attribute: string): string {
  const [name = ''] = attribute.split('=');
  return name.trim().toLowerCase();
}

/** Browsers drop such a cookie, or end it there; which of the two is not left to them. */
function holdsControl(value: string): boolean {
  return Array.from(value).some((character) => {
    const code = character.charCodeAt(0);
    return code !== 0x09 && (code < 0x20 || code === 0x7f);
  });
}
