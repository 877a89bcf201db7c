import type { HeaderRecord } from './forwarded.ts';
import type { Rule } from './rules.ts';

/**
 * Whether somebody is looking at a page that this answer replaces: only then may it be a redirect to sign-in.
 * Browsers say so themselves (Fetch Metadata Request Headers); where they do not, a page is what asks for HTML.
 */
export function isTopLevelNavigation(method: string, headers: HeaderRecord): boolean {
  return (method === 'GET' || method === 'HEAD') && isSeen(headers);
}

/** Whether somebody has sent a form and sees the answer to it: a redirect to sign-in would lose what was written there. */
export function isFormOfPage(method: string, headers: HeaderRecord): boolean {
  return method === 'POST' && isSeen(headers);
}

function isSeen(headers: HeaderRecord): boolean {
  if (isWebSocket(headers)) return false;
  const mode = headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return headers['accept']?.includes('text/html') === true && headers['x-requested-with'] === undefined;
}

/**
 * Whether a request that a cookie authenticates must show where it comes from: everything that may change something, and
 * WebSockets, which no same-origin policy holds back. Proxies drop `Upgrade` on the way here, but not its companions.
 */
export function needsOrigin(method: string, headers: HeaderRecord): boolean {
  return (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') || isWebSocket(headers);
}

/** `SameSite=Lax` lets sibling hosts through; `Sec-Fetch-Site` speaks only where `Origin` is absent. */
export function hasAcceptedOrigin(headers: HeaderRecord, ownOrigin: string, rules: readonly Rule[]): boolean {
  const claimed = headers['origin'];
  if (claimed === undefined) return headers['sec-fetch-site'] === 'same-origin';
  if (claimed === ownOrigin) return true;
  return rules.every((rule) => rule.isPublic || rule.allowedOrigins.includes(claimed));
}

function isWebSocket(headers: HeaderRecord): boolean {
  return (
    headers['sec-websocket-key'] !== undefined ||
    headers['sec-websocket-version'] !== undefined ||
    headers['upgrade']?.toLowerCase().includes('websocket') === true
  );
}
