/** What is wrong with the parts of `[authorization_server]`, in words for the operator. */

/** RFC 6749 appendix A.1, without spaces; a URL is a client that names itself by its address. */
const CLIENT_ID = /^(?!https?:)[\x21-\x7e]{1,200}$/;
/** RFC 3986 section 3.1. */
const SCHEME = /^[a-z][a-z0-9+.-]{1,40}$/;
/** Schemes that a browser acts on by itself, or that are nobody's program. */
const NOT_PRIVATE = [
  'http',
  'https',
  'javascript',
  'data',
  'file',
  'blob',
  'about',
  'view-source',
  'ftp',
  'ws',
  'wss',
];

export const clientIdFault = (text: string): string | undefined =>
  CLIENT_ID.test(text) ? undefined : 'an id of visible ASCII characters that is no URL';

export const schemeFault = (text: string): string | undefined =>
  SCHEME.test(text) && !NOT_PRIVATE.includes(text) ? undefined : 'a private-use scheme, in lower case';

/** The operator may name any program's scheme; that it is no page of a browser is all that is asked here. */
export function redirectUriFault(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^[\x21-\x7e]+$/.test(text)) return 'an absolute URI';
  if (text.includes('#') || url.username !== '' || url.password !== '')
    return 'a URI without user and fragment';
  const scheme = url.protocol.slice(0, -1);
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (scheme === 'https' || (scheme === 'http' && isLoopback)) return undefined;
  return NOT_PRIVATE.includes(scheme) ? 'https, http on loopback, or the scheme of a program' : undefined;
}
