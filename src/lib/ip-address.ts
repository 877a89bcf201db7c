import { isIP } from 'node:net';

/** 4 bytes of IPv4 or 16 of IPv6; an IPv4 address inside IPv6 (RFC 4291 section 2.5.5.2) is the 4 bytes. */
type AddressBytes = Uint8Array;

export interface AddressRange {
  readonly network: AddressBytes;
  /** Leading bits that count. */
  readonly bits: number;
}

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The bytes of an address without port, zone or brackets; `undefined` for anything else. */
export function parseAddress(text: string): AddressBytes | undefined {
  const family = text.includes('%') ? 0 : isIP(text);
  if (family === 4) return Uint8Array.from(text.split('.'), Number);
  if (family !== 6) return undefined;
  const bytes = parseIpv6(text);
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** The shortest usual way to write an address (RFC 5952). */
export function formatAddress(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** An address or `address/bits`; bits beyond the prefix must be zero. `undefined` for anything else. */
export function parseRange(text: string): AddressRange | undefined {
  const [address = '', suffix, ...more] = text.split('/');
  const network = parseAddress(address);
  if (network === undefined || more.length > 0) return undefined;
  const bits = suffix === undefined ? network.length * 8 : prefixBits(suffix, network, address);
  if (bits === undefined || !isZeroBeyond(network, bits)) return undefined;
  return { network, bits };
}

export function rangeContains({ network, bits }: AddressRange, address: AddressBytes): boolean {
  if (network.length !== address.length) return false;
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) if (network[index] !== address[index]) return false;
  const mask = maskOf(bits & 7);
  return ((network[whole] ?? 0) & mask) === ((address[whole] ?? 0) & mask);
}

/** Whether every address of `inner` is one of `outer`. */
export function rangeCovers(outer: AddressRange, inner: AddressRange): boolean {
  return outer.bits <= inner.bits && rangeContains(outer, inner.network);
}

/** The prefix length of `::ffff:10.0.0.0/104` counts the 96 bits that the mapping adds. */
function prefixBits(suffix: string, network: AddressBytes, address: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(suffix)) return undefined;
  const mapped = network.length === 4 && address.includes(':');
  const bits = Number(suffix) - (mapped ? 96 : 0);
  return bits >= 0 && bits <= network.length * 8 ? bits : undefined;
}

function isZeroBeyond(network: AddressBytes, bits: number): boolean {
  return network.every((byte, index) => (byte & ~maskOf(bits - 8 * index) & 0xff) === 0);
}

/** The byte whose `bits` leading bits are set. */
function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff;
}

/** `text` is known to be IPv6. */
function parseIpv6(text: string): AddressBytes {
  const [front = [], back = []] = withoutDots(text)
    .split('::')
    .map((side) => side.split(':').filter((group) => group !== ''));
  const gap = Array.from({ length: 8 - front.length - back.length }, () => '0');
  const groups = [...front, ...gap, ...back].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The last four bytes may be written as IPv4 (RFC 4291 section 2.2); here they become two groups like the others. */
function withoutDots(text: string): string {
  if (!text.includes('.')) return text;
  const start = text.lastIndexOf(':') + 1;
  const [a = 0, b = 0, c = 0, d = 0] = text.slice(start).split('.').map(Number);
  return `${text.slice(0, start)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function isMapped(bytes: AddressBytes): boolean {
  return MAPPED_PREFIX.every((byte, index) => bytes[index] === byte);
}
