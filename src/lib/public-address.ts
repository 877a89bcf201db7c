import { parseAddress, parseRange, rangeContains } from './ip-address.ts';
import { once } from './once.ts';

/** What is not for everybody on the internet (the special-purpose registries of IANA, RFC 6890), multicast included. */
const specialIpv4 = ranges(
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
);

/** All of IPv6 that is handed out (RFC 4291 section 2.4) ... */
const globalIpv6 = ranges('2000::/3');
/** ... but for protocols, documentation, and what carries an IPv4 address of its own (6to4, Teredo). */
const specialIpv6 = ranges('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20');

/** Read when an address is first judged: a start has none. */
function ranges(...texts: readonly string[]) {
  return once(() => texts.flatMap((text) => parseRange(text) ?? []));
}

/** Whether an address (without brackets or zone) is one of the public internet. */
export function isPublicAddress(text: string): boolean {
  const bytes = parseAddress(text);
  if (bytes === undefined) return false;
  if (bytes.length === 4) return !specialIpv4().some((range) => rangeContains(range, bytes));
  return (
    globalIpv6().some((range) => rangeContains(range, bytes)) &&
    !specialIpv6().some((range) => rangeContains(range, bytes))
  );
}
