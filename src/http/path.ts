/** The path of a request, as it was sent. `new URL` costs more, and throws for what Bun lets through. */
export function requestPath({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const end = url.slice(start).search(/[?#]/);
  return end === -1 ? url.slice(start) : url.slice(start, start + end);
}

/** Paths that programs call; every other one is for people. */
const PROGRAM_PATHS = [
  '/api',
  '/oauth',
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
