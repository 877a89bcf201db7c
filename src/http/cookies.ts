import { AppError } from '../lib/app-error.ts';
import type { PublicOrigin } from './origin.ts';

/** Longest value of a cookie of ours, in characters; browsers keep at most 4096 bytes (RFC 6265 section 6.1). */
const MAX_VALUE_LENGTH = 2048;

/** `cookie-octet` of RFC 6265 section 4.1.1. */
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/** How the cookie of a session begins that browsers send by https. */
const OUR_BARE_PAIR = '__Host-postern=';

/** Every name that `cookieName` can give, whatever the scheme and the port. */
const OUR_NAME = /^(?:__Host-postern(?:-.*)?|postern_[0-9]+(?:_.*)?)$/;

/**
 * The name of a cookie of ours at one origin. Over https the `__Host-` prefix keeps sibling hosts from setting it
 * (RFC 6265bis section 4.1.3.2); on loopback the port is part of the name, because cookies ignore ports.
 */
export function cookieName(origin: PublicOrigin, suffix?: string): string {
  if (origin.secure) return suffix === undefined ? '__Host-postern' : `__Host-postern-${suffix}`;
  return suffix === undefined ? `postern_${origin.port}` : `postern_${origin.port}_${suffix}`;
}

/**
 * The value of one cookie, `undefined` when it was not sent.
 * @throws AppError `bad_request`: `duplicate_cookie` when it came twice, `malformed_cookie` when it cannot be ours.
 */
export function readCookie(request: Request, name: string): string | undefined {
  const header = request.headers.get('cookie');
  return header === null ? undefined : cookieValue(header, name);
}

/** The same for the text of a `Cookie` header. */
export function cookieValue(header: string, name: string): string | undefined {
  let found: string | undefined;
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + name.length)) {
    if (!startsPair(header, at)) continue;
    const value = valueAfter(header, at + name.length);
    if (value === undefined) continue;
    if (found !== undefined)
      throw new AppError('bad_request', 'duplicate_cookie', 'A cookie was sent twice.');
    found = value;
  }
  if (found !== undefined && (found.length > MAX_VALUE_LENGTH || !COOKIE_VALUE.test(found))) {
    throw new AppError('bad_request', 'malformed_cookie', 'A cookie is malformed.');
  }
  return found;
}

/** A `Set-Cookie` value for this host alone. `maxAgeSeconds` is a whole number of seconds. */
export function setCookie(origin: PublicOrigin, name: string, value: string, maxAgeSeconds: number): string {
  if (!COOKIE_VALUE.test(value) || value.length > MAX_VALUE_LENGTH)
    throw new Error(`not a value for ${name}`);
  const secure = origin.secure ? '; Secure' : '';
  return `${name}=${value}; Path=/; Max-Age=${Math.trunc(maxAgeSeconds)}; HttpOnly; SameSite=Lax${secure}`;
}

export function clearCookie(origin: PublicOrigin, name: string): string {
  return setCookie(origin, name, '', 0);
}

/**
 * A `Cookie` header without any cookie of ours, of this and of every other port; empty when nothing is left.
 * What is left keeps its order and its bytes.
 */
export function stripOurCookies(header: string | null): string {
  if (header === null || !header.includes('postern')) return header ?? '';
  // Ours alone: the usual case where the hot path ends.
  if (!header.includes(';') && (header.startsWith(OUR_BARE_PAIR) || OUR_NAME.test(pairName(header))))
    return '';
  const kept = header.split(';').filter((pair) => !OUR_NAME.test(pairName(pair)));
  return kept.join(';').trim();
}

function pairName(pair: string): string {
  const equals = pair.indexOf('=');
  return (equals === -1 ? pair : pair.slice(0, equals)).trim();
}

/** Whether only white space stands between `at` and the `;` (or the start) before it. */
function startsPair(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isSpace(header.charCodeAt(before))) before--;
  return before < 0 || header.charCodeAt(before) === 0x3b;
}

/** The value when a `=` follows the name that ended before `at`. */
function valueAfter(header: string, at: number): string | undefined {
  let equals = at;
  while (isSpace(header.charCodeAt(equals))) equals++;
  if (header.charCodeAt(equals) !== 0x3d) return undefined;
  const end = header.indexOf(';', equals);
  return header.slice(equals + 1, end === -1 ? undefined : end).trim();
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
