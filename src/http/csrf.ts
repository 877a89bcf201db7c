import { AppError } from '../lib/app-error.ts';

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Holds that a request which a cookie authenticates was made by a page of `origin` itself.
 * `SameSite=Lax` does not: a page on a sibling host is same-site.
 * @throws AppError `forbidden` (`cross_origin`) for an unsafe method or a WebSocket upgrade from elsewhere.
 */
export function requireSameOrigin(request: Request, origin: string): void {
  if (SAFE_METHODS.includes(request.method) && !isWebSocketUpgrade(request)) return;
  if (!isSameOrigin(request, origin)) {
    throw new AppError('forbidden', 'cross_origin', 'This request did not come from a page of this site.');
  }
}

/** `Sec-Fetch-Site` speaks only where `Origin` is absent (Fetch Metadata Request Headers section 2.4). */
function isSameOrigin({ headers }: Request, origin: string): boolean {
  const claimed = headers.get('origin');
  return claimed === null ? headers.get('sec-fetch-site') === 'same-origin' : claimed === origin;
}

function isWebSocketUpgrade({ headers }: Request): boolean {
  const tokens = headers.get('upgrade')?.toLowerCase().split(',') ?? [];
  return tokens.some((token) => token.trim() === 'websocket');
}
