import { PROTECTED_HOST_PREFIX } from './assets.ts';
import type { NativeHandler } from './native.ts';
import { isBelow, requestPath } from './path.ts';

/**
 * Hosts that are somebody else's, and that we serve all the same: every path on them is theirs, also where ours has a
 * meaning (`/healthz`, `/mcp/…`, `/forward-auth`), but for what stands below `PROTECTED_HOST_PREFIX`.
 */
export interface OtherHosts {
  /** Whether a host (lower case, with its port unless that is the scheme's own) has the form of theirs. */
  has(host: string): boolean;
  /** Answers what is theirs. */
  readonly handle: NativeHandler;
}

/** What counts requests to all of them. */
export const OTHER_HOSTS_ROUTE = '(device host)';

/** Whether a request is for one of these hosts. What is no host at all never is. */
export function isForOtherHost(request: Request, others: Pick<OtherHosts, 'has'>, secure: boolean): boolean {
  const host = request.headers.get('host');
  // Nearly every request is for another host, and this tells without making a text.
  if (host?.includes('--') !== true) return false;
  return others.has(usualHost(host, secure)) && !isBelow(requestPath(request), PROTECTED_HOST_PREFIX);
}

/** A host as it is compared: in lower case, without the scheme's own port. */
export function usualHost(host: string, secure: boolean): string {
  const lower = host.toLowerCase();
  const ownPort = secure ? ':443' : ':80';
  return lower.endsWith(ownPort) ? lower.slice(0, -ownPort.length) : lower;
}
