import { foreignAuthorization } from '../forward-auth/authorization.ts';
import { type IdentityHeaders, identityHeaders, NOBODY } from '../forward-auth/identity-headers.ts';
import { stripOurCookies } from '../http/cookies.ts';
import { endToEndHeaders, type HeaderList } from '../tunnel/header-list.ts';
import type { User } from '../users/model.ts';

/**
 * What passes between a browser and a device's page at a host of its own: nothing of ours goes in, and nothing comes out
 * that would reach beyond that host.
 */

/** Who visits, as a service is told. */
export interface VisitorFacts {
  /** The client's own, as far as it is known. */
  readonly address: string;
  readonly host: string;
  readonly scheme: 'http' | 'https';
  /** Nobody for a guest. */
  readonly person: User | undefined;
}

/** What a client may say of the way it came, or of who it is: it is said here, or by nobody. */
const NOT_A_CLIENTS_TO_SAY =
  /^(?:forwarded|x-forwarded-.*|x-real-ip|x-original-(?:url|method|uri|host)|x-rewrite-url|remote-(?:user|name|email|groups))$/;

/** The fields of a request as a service gets them: without credentials of ours, with who asks and from where. */
export function fieldsForDevice(
  headers: Headers,
  { address, host, scheme, person }: VisitorFacts,
): HeaderList {
  const fields: HeaderList[number][] = [];
  for (const field of endToEndHeaders(headers)) {
    const [name, value] = field;
    if (NOT_A_CLIENTS_TO_SAY.test(name)) continue;
    const kept = withoutOurCredentials(name, value);
    if (kept === value) fields.push(field);
    else if (kept !== '') fields.push([name, kept]);
  }
  fields.push(['x-forwarded-for', address], ['x-forwarded-host', host], ['x-forwarded-proto', scheme]);
  return fields.concat(person === undefined ? NOBODYS : identityOf(person));
}

/** The ledger hands out one object per version of a person, so what was written for it stays true while it lives. */
const identities = new WeakMap<User, HeaderList>();

function identityOf(person: User): HeaderList {
  const known = identities.get(person);
  if (known !== undefined) return known;
  const made = toFields(identityHeaders(person));
  identities.set(person, made);
  return made;
}

function toFields(headers: IdentityHeaders): HeaderList {
  return Object.entries(headers).map(([name, value]: [string, string]) => [name.toLowerCase(), value]);
}

const NOBODYS = toFields(NOBODY);

/** The value of `Cookie` or `Authorization` without ours, empty when nothing is left; of any other field the value itself. */
function withoutOurCredentials(name: string, value: string): string {
  if (name === 'cookie') return stripOurCookies(value);
  return name === 'authorization' ? foreignAuthorization(value) : value;
}

/** The fields of a service's answer as a visitor at its own host gets them. */
export function fieldsForVisitor(fields: HeaderList): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) {
    const passed = name === 'set-cookie' ? ownHostCookie(value) : value;
    if (passed !== undefined && isDevicesToSay(name)) headers.append(name, passed);
  }
  return headers;
}

/**
 * Headers of an answer that speak for more than the page behind them: of other hosts of the same site, of how this host is
 * reached at all, or of our own pages below `/.postern/`.
 */
const NOT_A_DEVICES_TO_SAY: ReadonlySet<string> = new Set([
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
]);

/** `name` is in lower case. */
export const isDevicesToSay = (name: string): boolean => !NOT_A_DEVICES_TO_SAY.has(name);

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
