/** One name between dots; underscores are not for host names (RFC 952), yet home networks are full of them. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const MAX_NAME_LENGTH = 253;

/** A host as URLs write it, with the port that was given. */
export interface Host {
  /** Lower case, IPv6 in brackets, no port. */
  readonly hostname: string;
  readonly port: number | undefined;
}

/** Reads `name`, `name:port`, an IPv4 or a bracketed IPv6 address; `undefined` for anything else. */
export function parseHost(text: string): Host | undefined {
  const [, name, digits] = /^(\[[0-9a-f:.]+\]|[^\s:/?#@\\[\]%*]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const hostname = name === undefined ? undefined : URL.parse(`http://${name}/`)?.hostname;
  if (hostname === undefined || !isHostname(hostname)) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  return port === undefined || port <= 65_535 ? { hostname, port } : undefined;
}

export function formatHost({ hostname, port }: Host): string {
  return port === undefined ? hostname : `${hostname}:${port}`;
}

/** Whether a URL's host name is a bracketed address, or a name that DNS could hold. */
function isHostname(hostname: string): boolean {
  if (hostname.startsWith('[')) return true;
  if (hostname.startsWith('_')) return false;
  return hostname.length <= MAX_NAME_LENGTH && hostname.split('.').every((label) => LABEL.test(label));
}

/** Where a socket listens. */
export interface ListenAddress {
  /** A name or an address, IPv6 without brackets. */
  readonly hostname: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
}

/** Reads `host:port`, IPv6 in brackets; `undefined` for anything else, and without a port. */
export function parseListen(text: string): ListenAddress | undefined {
  const host = parseHost(text);
  if (host?.port === undefined) return undefined;
  return { hostname: host.hostname.replaceAll(/^\[|\]$/g, ''), port: host.port };
}
