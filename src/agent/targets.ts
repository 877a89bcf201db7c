import type { ServiceTarget } from './model.ts';

/** What else a service's table may say. */
export interface TargetOptions {
  host?: string | undefined;
  /** PEM. */
  ca?: string | undefined;
  verify?: boolean | undefined;
}

const DEFAULT_PORTS = { 'http:': 80, 'https:': 443, 'tcp:': undefined } as const;

export const TARGET_EXPECTED =
  'http://host:port, https://host:port or tcp://host:port, without user, path, query or fragment';

/**
 * Reads where a service listens. It names a whole server: a path would have to be taken off what pages link to.
 * `undefined` for anything else.
 */
export function readTarget(text: string, options: TargetOptions = {}): ServiceTarget | undefined {
  const [, scheme = '', authority = ''] = /^(https?|tcp):\/\/([^/?#@\\\s]+)\/?$/i.exec(text) ?? [];
  const protocol = `${scheme.toLowerCase()}:`;
  if (!isKnown(protocol)) return undefined;
  // The parser of `http` brings names and addresses into one form, whatever the scheme.
  const url = URL.parse(`http://${authority}/`);
  const port = portOf(authority) ?? DEFAULT_PORTS[protocol];
  if (url === null || port === undefined || port === 0 || port > 65_535) return undefined;
  const hostname = url.hostname.replaceAll(/^\[|\]$/g, '');
  const origin = `${protocol}//${url.hostname}:${port}`;
  if (protocol === 'tcp:') return { kind: 'tcp', hostname, port, origin };
  return {
    kind: 'http',
    hostname,
    port,
    origin,
    host: options.host,
    tls: tlsOf(protocol, hostname, options),
  };
}

/** Written out, because the parser of URLs drops the port that is the scheme's own. */
function portOf(authority: string): number | undefined {
  const [, digits] = /:(\d{1,5})$/.exec(authority) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function tlsOf(protocol: string, hostname: string, { host, ca, verify = true }: TargetOptions) {
  if (protocol !== 'https:') return undefined;
  return { serverName: host?.replace(/:\d+$/, '') ?? hostname, ca, verify };
}

const isKnown = (protocol: string): protocol is keyof typeof DEFAULT_PORTS => protocol in DEFAULT_PORTS;
