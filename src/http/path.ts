/** The path of a request, as it was sent. `new URL` costs more, and throws for what Bun lets through. */
export function requestPath({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const end = url.slice(start).search(/[?#]/);
  return end === -1 ? url.slice(start) : url.slice(start, start + end);
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
