/**
 * What any page may read, because it takes no cookie and no page can attach a credential of somebody else's
 * (Fetch section 3.3; never with `Access-Control-Allow-Credentials`).
 */
export const OPEN_CORS = {
  'access-control-allow-origin': '*',
} as const;

/** How long a browser may remember a preflight, in seconds. */
const PREFLIGHT_SECONDS = 600;

/** The answer to a preflight of such an endpoint. */
export function openPreflight(methods: readonly string[]): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...OPEN_CORS,
      'access-control-allow-methods': methods.join(', '),
      'access-control-allow-headers': 'authorization, content-type, mcp-protocol-version',
      'access-control-max-age': String(PREFLIGHT_SECONDS),
    },
  });
}
