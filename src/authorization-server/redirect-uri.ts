import { MAX_REDIRECT_URI_LENGTH } from './constants.ts';

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
/** http on this machine, where a client listens on whatever port is free (RFC 8252 section 7.3). */
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?((?:[/?].*)?)$/;

/** Whether two URIs are the same but for the port of a loopback address, where there may be any that exists. */
export function isSameRedirectUri(registered: string, requested: string): boolean {
  return URL.canParse(requested) && withoutLoopbackPort(registered) === withoutLoopbackPort(requested);
}

/** The URI as it is compared: without its port where that is on loopback. */
export function withoutLoopbackPort(uri: string): string {
  const [, host, rest] = LOOPBACK.exec(uri) ?? [];
  return host === undefined ? uri : `http://${host}${rest}`;
}

/**
 * Whether a client may register this URI: https, http on loopback, or the private-use scheme of a known program
 * (RFC 8252 section 7.1); without user and fragment (RFC 6749 section 3.1.2).
 */
export function isAcceptableRedirectUri(text: string, privateUseSchemes: readonly string[]): boolean {
  if (text.length > MAX_REDIRECT_URI_LENGTH || !VISIBLE_ASCII.test(text) || /[#\\"<>]/.test(text))
    return false;
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (/^https:\/\/[^/?]/.test(text)) return true;
  if (LOOPBACK.test(text)) return true;
  return privateUseSchemes.some((scheme) => text.startsWith(`${scheme}:`) && text.length > scheme.length + 1);
}

/** What people are shown of where a client is sent back to. */
export function redirectHost(redirectUri: string): string {
  const { protocol, host } = new URL(redirectUri);
  if (LOOPBACK.test(redirectUri)) return `this computer (${host})`;
  return protocol === 'https:' ? host : `the program that opens ${protocol}// links`;
}

/** The redirect URI with the response parameters added to its query (RFC 6749 section 4.1.2). */
export function withResponse(
  redirectUri: string,
  params: Readonly<Record<string, string | undefined>>,
): string {
  const present = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as [string, string]],
  );
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${new URLSearchParams(present).toString()}`;
}
