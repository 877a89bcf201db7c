import type { User } from '../users/model.ts';
import type { HeaderRecord } from './forwarded.ts';

/** What a protected app learns of the person, by header name. Always all four, empty when there is nothing to tell. */
export interface IdentityHeaders {
  readonly 'Remote-User': string;
  readonly 'Remote-Name': string;
  readonly 'Remote-Email': string;
  readonly 'Remote-Groups': string;
}

export const NOBODY: IdentityHeaders = {
  'Remote-User': '',
  'Remote-Name': '',
  'Remote-Email': '',
  'Remote-Groups': '',
};

export function identityHeaders({ username, displayName, email, groups }: User): IdentityHeaders {
  return {
    'Remote-User': headerText(username),
    'Remote-Name': headerText(displayName),
    'Remote-Email': headerText(email ?? ''),
    'Remote-Groups': groupsText(groups),
  };
}

/** The shortest and the longest identity header, in characters. */
const SHORTEST = 'remote-user'.length;
const LONGEST = 'remote-groups'.length;

/**
 * Whether a header that the proxy leaves alone would reach the app under an identity header's name: CGI and its heirs
 * read `Remote_User`, and some read `Remote.User`, as they read `Remote-User` (RFC 3875 section 4.1.18).
 */
export function hasDisguisedIdentity(headers: HeaderRecord): boolean {
  for (const name in headers) {
    const { length } = name;
    if (length < SHORTEST || length > LONGEST || name.charCodeAt(0) !== 0x72) continue;
    if (/^remote[^a-z0-9-](?:user|name|email|groups)$/.test(name)) return true;
  }
  return false;
}

/** Most people are in the same few combinations of groups, and the ledger keeps one list for each. */
const textsOfGroups = new WeakMap<readonly string[], string>();

function groupsText(groups: readonly string[]): string {
  const known = textsOfGroups.get(groups);
  if (known !== undefined) return known;
  const text = groups
    .map(groupText)
    .filter((group) => group !== '')
    .join(',');
  textsOfGroups.set(groups, text);
  return text;
}

/** A name may not end the group before it: what separates groups, and space at the ends, is percent-encoded. */
function groupText(group: string): string {
  return headerText(group.replaceAll(/[%,]|^\s+|\s+$/g, encodeURIComponent));
}

/** Printable ASCII without spaces at the ends, as most names are, goes as it is. */
const PLAIN = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;

/** UTF-8 as the wire carries it, one character per byte; control characters become spaces. */
function headerText(text: string): string {
  if (PLAIN.test(text)) return text;
  const oneLine = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  return Buffer.from(oneLine, 'utf8').toString('latin1');
}
