/** The path of a request, as it was sent. `new URL` costs more, and throws for what Bun lets through. */
export function requestPath({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const query = endOf(url, '?', start);
  return url.slice(start, Math.min(query, endOf(url, '#', start)));
}

function endOf(url: string, mark: string, start: number): number {
  const at = url.indexOf(mark, start);
  return at === -1 ? url.length : at;
}

/** Paths that programs call; every other one is for people. */
const PROGRAM_PATHS = [
  '/api',
  '/oauth/token',
  '/oauth/register',
  '/oauth/revoke',
  '/oauth/introspect',
  '/oauth/device_authorization',
  '/mcp',
  '/d',
  '/.well-known',
  '/backchannel-logout',
  '/openapi.json',
  '/healthz',
  '/readyz',
];

export function isProgramPath(path: string): boolean {
  return PROGRAM_PATHS.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

/** Whether a path is `prefix` or stands below it. */
export function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

/** Endpoints whose errors are those of OAuth (RFC 6749 section 5.2); consent is a page for people. */
const OAUTH_ENDPOINTS = [
  '/oauth/token',
  '/oauth/register',
  '/oauth/revoke',
  '/oauth/introspect',
  '/oauth/device_authorization',
];

export const isOauthEndpoint = (path: string): boolean => OAUTH_ENDPOINTS.includes(path);
