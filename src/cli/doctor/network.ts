import { createServer } from 'node:net';
import { parseListen } from '../../config/hosts.ts';
import { listenRefusal } from '../../http/listener.ts';
import { parseRange } from '../../lib/ip-address.ts';
import { askHealth, healthUrl } from '../health.ts';
import { type Check, type Finding, findingsAbout } from './finding.ts';

/** Fewer bits than these take in more of the Internet than anybody's proxies. */
const WIDE_BITS = { 4: 8, 16: 20 } as const;

/** Whether the server answers, or could listen. */
export const checkListeners: Check = async ({ config, isRunning }) => {
  if (isRunning) return [await healthOf('listen', healthUrl(config), { level: 'fail' })];
  return Promise.all([
    tryToListen('listen', config.listen),
    tryToListen('metrics_listen', config.metrics_listen),
  ]);
};

/** Whether the public address leads here. Not every network lets its own machines in through the front door. */
export const checkUrl: Check = async ({ config: { url, tls }, isRunning }) => {
  const { warn } = findingsAbout('url');
  if (!isRunning) return [warn(`${url} is not asked, because the server is not running`)];
  return [
    await healthOf('url', `${url}/healthz`, { level: 'warn', checkCertificate: tls !== 'self-signed' }),
  ];
};

/** Whether the addresses of clients will be the right ones. */
export const checkProxies: Check = ({ config: { url, tls, trusted_proxies } }) => {
  const { ok, warn } = findingsAbout('trusted_proxies');
  const wide = trusted_proxies.filter((text) => isWide(text));
  if (wide.length > 0)
    return [warn(`${wide.join(', ')} takes in more than proxies; whoever is in it can pretend any address`)];
  if (trusted_proxies.length > 0) return [ok(trusted_proxies.join(', '))];
  const behindProxy = url.startsWith('https:') && tls === undefined;
  if (behindProxy)
    return [warn('empty, although TLS ends before us: the proxy’s address will stand for every client’s')];
  return [ok('none')];
};

function isWide(text: string): boolean {
  const range = parseRange(text);
  if (range === undefined) return false;
  return range.bits < (range.network.length === 4 ? WIDE_BITS[4] : WIDE_BITS[16]);
}

async function healthOf(
  about: string,
  url: string,
  { level, checkCertificate = false }: { level: 'warn' | 'fail'; checkCertificate?: boolean },
): Promise<Finding> {
  const findings = findingsAbout(about);
  try {
    const status = await askHealth(url, { checkCertificate });
    return status === 200
      ? findings.ok(url)
      : findings[level](`${url} answers ${status}: does something else answer there?`);
  } catch (error) {
    return findings[level](error instanceof Error ? error.message : String(error));
  }
}

function tryToListen(key: string, address: string): Promise<Finding> {
  const { ok, fail } = findingsAbout(key);
  const { hostname, port } = parseListen(address) ?? { hostname: '', port: 0 };
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(fail(`${address}: ${listenRefusal(error)}`)));
    server.listen({ host: hostname, port, exclusive: true }, () =>
      server.close(() => resolve(ok(`${address} is free`))),
    );
  });
}
