import { AppError } from '../lib/app-error.ts';
import { isLoopbackName } from '../lib/loopback.ts';
import type { PublicOrigin } from './origin.ts';

/** A name, an IPv4 address or an IPv6 address in brackets, with or without a port (RFC 3986 section 3.2). */
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** The router looks for the path from a fixed place on, so that a shorter host would become part of it. */
const SHORTEST = 4;

/**
 * The host a request is for: lower case, with its port unless that is the scheme's own.
 * `secure` is the scheme of our public origin: behind a proxy the connection itself does not tell.
 * @throws AppError `bad_request` (`malformed_host`) unless there is exactly one and it is a host.
 */
export function requestHost(request: Request, secure: boolean): string {
  const host = request.headers.get('host')?.toLowerCase() ?? '';
  // For a host that it cannot read, Bun leaves `url` without scheme and host.
  if (host.length < SHORTEST || !HOST.test(host) || !request.url.startsWith('http')) {
    throw new AppError('bad_request', 'malformed_host', 'The Host header is missing, doubled or malformed.');
  }
  const schemePort = secure ? ':443' : ':80';
  return host.endsWith(schemePort) ? host.slice(0, -schemePort.length) : host;
}

/** On the machine itself people try other names for it: where `url` is of that kind, they are told which one is right. */
export function unknownHost({ origin }: PublicOrigin): AppError {
  const where = isLoopbackName(new URL(origin).hostname) ? ` Open ${origin} instead.` : '';
  return new AppError('misdirected', 'unknown_host', `No such host is served here.${where}`);
}
