import { type AddressRange, parseRange } from '../lib/ip-address.ts';
import { isLoopbackName } from '../lib/loopback.ts';
import { DOCUMENTED_SECRETS } from './documented-secrets.ts';
import { formatHost, parseHost, parseListen } from './hosts.ts';

/** What is expected instead of a text, or `undefined` when nothing is wrong with it. */
export type Fault = (text: string) => string | Correction | undefined;

/** A text that means something, and is written otherwise. */
export interface Correction {
  readonly expected: string;
  readonly meant: string;
}

const ORIGIN = /^(https?):\/\/([^/]+)\/?$/i;
const LOOPBACK_NAMES = 'localhost, *.localhost, 127.0.0.1, [::1]';
const MIN_SECRET_BYTES = 32;

/** Requests for shorter hosts are refused, because the router would take them for a part of the path. */
const MIN_HOST_LENGTH = 4;
const LONGER_HOST = `a host of at least ${MIN_HOST_LENGTH} characters, like nas.home; shorter ones cannot be served`;

/** The public `url`: an origin, http only where nobody else can listen in. */
export const publicUrlFault: Fault = (text) => {
  const origin = parseBareOrigin(text);
  if (origin === undefined) {
    return 'an origin like https://auth.example.com: scheme and host, no user, path, query or fragment';
  }
  if (origin.host.length < MIN_HOST_LENGTH) return LONGER_HOST;
  if (origin.protocol === 'https:' || isLoopbackName(origin.hostname)) return undefined;
  return `an https origin; http is for loopback alone (${LOOPBACK_NAMES})`;
};

/** An origin letter for letter as browsers send it (RFC 6454 section 6.2). */
export const exactOriginFault: Fault = (text) => {
  if (text.includes('*'))
    return 'one exact origin; a wildcard would let any site act with the cookies of the person';
  const origin = parseBareOrigin(text)?.origin;
  if (origin === undefined) return 'an origin like https://app.example.com';
  return origin === text ? undefined : { expected: 'the origin as browsers send it', meant: origin };
};

/** The issuer identifier (OpenID Connect Discovery section 3): https, no query, no fragment. */
export const issuerFault: Fault = (text) => {
  const url = /^https?:\/\/[^\s?#@\\]+$/i.test(text) ? URL.parse(text) : null;
  if (url === null) return 'the URL the provider publishes as its issuer, without query and fragment';
  if (url.protocol === 'https:' || isLoopbackName(url.hostname)) return undefined;
  return `an https URL; http is for loopback alone (${LOOPBACK_NAMES})`;
};

export const listenFault: Fault = (text) =>
  parseListen(text) === undefined ? 'host:port, like 127.0.0.1:7400 or [::1]:7400' : undefined;

export const rangeFault: Fault = (text) =>
  parseRange(text) === undefined
    ? 'a CIDR range like 10.0.0.0/8 or fd00::/8, no bit set beyond the prefix'
    : undefined;

/** The host of a rule, letter for letter as requests are compared with it. */
export const ruleHostFault: Fault = (text) => {
  if (text.includes('*')) return 'one exact host; there are no wildcards, write a rule for each host';
  const host = parseHost(text);
  if (host === undefined || host.port === 0)
    return 'a host name, with its port if need be, without scheme and path';
  const canonical = formatHost(host);
  if (canonical.length < MIN_HOST_LENGTH) return LONGER_HOST;
  return canonical === text ? undefined : { expected: 'the host in its canonical form', meant: canonical };
};

export const domainFault: Fault = (text) => {
  const host = parseHost(text.replace(/^@/, ''));
  if (host === undefined || host.port !== undefined) return 'a domain like example.com';
  return host.hostname === text
    ? undefined
    : { expected: 'the domain in its canonical form', meant: host.hostname };
};

export const emailFault: Fault = (text) =>
  /^[^\s@]+@[^\s@]+$/.test(text) ? undefined : 'an e-mail address like ada@example.com';

/** A path prefix of a rule: what a request's path is once it has been made canonical. */
export const pathPrefixFault: Fault = (text) => {
  if (text === '/') return undefined;
  if (!text.startsWith('/')) return 'a path that begins with /';
  if (text.endsWith('/'))
    return { expected: 'the path without the slash at its end', meant: text.replace(/\/+$/, '') || '/' };
  const canonical = text.slice(1).split('/').every(isPlainSegment);
  return canonical ? undefined : 'a plain path: no //, no dot segments, no %, no query, no backslash';
};

/** Also in the widest reading: forward-auth takes full-width dots and slashes for plain ones. */
function isPlainSegment(segment: string): boolean {
  const plain = segment.normalize('NFKC');
  return segment.isWellFormed() && !['', '.', '..'].includes(plain) && !/[\s%?#\\;/\p{Cc}]/u.test(plain);
}

/** A path of ours to go to. */
export const landingFault: Fault = (text) => {
  const here = 'https://here.invalid';
  const url = /^\/[^\s\\]*$/.test(text) ? URL.parse(text, here) : null;
  const ours = url?.origin === here && !url.pathname.startsWith('//');
  return ours ? undefined : 'a path of this appliance that begins with one /';
};

/** The appliance's secret, or one of those before it. */
export const secretFault = (text: string): string | undefined => {
  if (DOCUMENTED_SECRETS.has(text)) return 'a secret of your own; this one stands in the documentation';
  return Buffer.byteLength(text) < MIN_SECRET_BYTES ? `at least ${MIN_SECRET_BYTES} bytes` : undefined;
};

function parseBareOrigin(text: string): URL | undefined {
  const [, scheme, host = ''] = ORIGIN.exec(text) ?? [];
  if (scheme === undefined || parseHost(host) === undefined) return undefined;
  return URL.parse(`${scheme}://${host}`) ?? undefined;
}

/** Whether ranges, alone or together, hold every address there is of a family. */
export function coverEverything(texts: readonly string[]): boolean {
  const ranges = texts.flatMap((each) => parseRange(each) ?? []);
  return [4, 16].some((length) =>
    coverFamily(
      ranges.filter(({ network }) => network.length === length),
      length,
    ),
  );
}

function coverFamily(ranges: readonly AddressRange[], length: number): boolean {
  const spans = ranges
    .map(({ network, bits }) => {
      const first = BigInt(`0x${network.toHex()}`);
      return { first, end: first + (1n << BigInt(length * 8 - bits)) };
    })
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  let reached = 0n;
  for (const { first, end } of spans) if (first <= reached && end > reached) reached = end;
  return reached === 1n << BigInt(length * 8);
}
