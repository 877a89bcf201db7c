import { parseAddress, parseRange, rangeContains } from './ip-address.ts';

/** What is not for everybody on the internet (the special-purpose registries of IANA, RFC 6890), multicast included. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
].flatMap((range) => parseRange(range) ?? []);

/** All of IPv6 that is handed out (RFC 4291 section 2.4) ... */
const GLOBAL_IPV6 = ['2000::/3'].flatMap((range) => parseRange(range) ?? []);
/** ... but for protocols, documentation, and what carries an IPv4 address of its own (6to4, Teredo). */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].flatMap(
  (range) => parseRange(range) ?? [],
);

/** Whether an address (without brackets or zone) is one of the public internet. */
export function isPublicAddress(text: string): boolean {
  const bytes = parseAddress(text);
  if (bytes === undefined) return false;
  if (bytes.length === 4) return !SPECIAL_IPV4.some((range) => rangeContains(range, bytes));
  return (
    GLOBAL_IPV6.some((range) => rangeContains(range, bytes)) &&
    !SPECIAL_IPV6.some((range) => rangeContains(range, bytes))
  );
}
