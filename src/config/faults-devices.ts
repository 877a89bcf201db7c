import { parseAddress } from '../lib/ip-address.ts';
import type { Fault } from './faults.ts';
import { formatHost, parseHost } from './hosts.ts';

/** Below it stands a label of up to 63 characters and a dot, in a name of at most 253 (RFC 1035 section 2.3.4). */
const MAX_BASE_LENGTH = 253 - 64;

/** `devices.base`, letter for letter as the hosts of devices end. */
export const deviceBaseFault: Fault = (text) => {
  const wildcard = /^\*?\.(.+)$/.exec(text);
  if (wildcard !== null) return { expected: 'the name alone', meant: wildcard[1] ?? '' };
  const host = parseHost(text);
  if (host === undefined || host.port === 0 || isAddress(host.hostname))
    return 'a host name that hosts of devices end with, with its port if need be, like devices.example.com';
  if (host.hostname.length > MAX_BASE_LENGTH)
    return `a host name of at most ${MAX_BASE_LENGTH} characters, so that there is room before it`;
  const canonical = formatHost(host);
  return canonical === text ? undefined : { expected: 'the host in its canonical form', meant: canonical };
};

function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || parseAddress(hostname) !== undefined;
}

/** A handle as devices bear them, or `*`. */
export const deviceHandleFault: Fault = (text) =>
  text === '*' || /^(?=.{1,30}$)[a-z0-9]+(?:-[a-z0-9]+)*$/.test(text)
    ? undefined
    : 'a handle: lower-case letters, digits and single hyphens between them, at most 30; or "*"';

/** What is wrong with which label. */
export function labelFaults(labels: Readonly<Record<string, string>>): Map<string, string> {
  const empty = Object.entries(labels).filter(([name, value]) => name.trim() === '' || value.trim() === '');
  return new Map(empty.map(([name]) => [name, 'a label and its value, neither of them empty']));
}
