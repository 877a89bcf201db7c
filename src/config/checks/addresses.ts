import { isLoopbackAddress, isLoopbackName } from '../../lib/loopback.ts';
import { type ListenAddress, parseListen } from '../hosts.ts';
import type { Check } from './conflict.ts';

/** Over http everything is readable on the way, so nobody but this machine may be able to ask. */
export const plainHttpStaysHere: Check = function* ({ url, listen }) {
  const address = parseListen(listen);
  if (!url.startsWith('http:') || address === undefined || isLoopbackAddress(address.hostname)) return;
  yield {
    path: ['listen'],
    others: [['url']],
    expected: 'a loopback address like 127.0.0.1:7400, because url is http',
  };
};

/** The two listeners must not meet; the system would refuse the second, or worse, share the port. */
export const listenersDiffer: Check = function* ({ listen, metrics_listen }) {
  const [main, metrics] = [parseListen(listen), parseListen(metrics_listen)];
  if (main === undefined || metrics === undefined || !overlap(main, metrics)) return;
  yield {
    path: ['metrics_listen'],
    others: [['listen']],
    expected: `an address other than that of listen (${listen})`,
  };
};

function overlap(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const [first, second] = [numeric(one.hostname), numeric(other.hostname)];
  return first === second || isWildcard(first) || isWildcard(second);
}

const numeric = (hostname: string) => (hostname === 'localhost' ? '127.0.0.1' : hostname);
const isWildcard = (hostname: string) => hostname === '0.0.0.0' || hostname === '::';

/** An http `url` is never asked for over TLS. */
export const tlsNeedsHttps: Check = function* ({ url, tls }) {
  if (tls === undefined || !url.startsWith('http:')) return;
  yield { path: ['tls'], others: [['url']], expected: 'no tls, or an https url; url is http' };
};

/** The demo's user has a password that everybody can read. */
export const demoStaysHere: Check = function* ({ url, demo }) {
  if (!demo || isLoopbackName(new URL(url).hostname)) return;
  yield {
    path: ['demo'],
    others: [['url']],
    expected: 'false, because url is reachable from other machines',
  };
};
