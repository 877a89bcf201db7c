import type { PublicOrigin } from '../http/origin.ts';
import { AppError } from '../lib/app-error.ts';

/** How long a browser may remember a preflight, in seconds. */
const PREFLIGHT_SECONDS = 600;
export const MCP_METHODS = 'GET, POST, DELETE, OPTIONS';
const REQUEST_HEADERS = [
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
];
/** Arguments of tools that are repeated as headers (2026-07-28, transports, "Custom request headers"). */
const PARAMETER_HEADER = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/;
const EXPOSED_HEADERS = 'Mcp-Session-Id, WWW-Authenticate, Retry-After';

export interface McpOrigins {
  /** The page that asks, where a browser says so. @throws AppError `forbidden` (`origin_not_allowed`) for any but those allowed. */
  callerOf(request: Request): string | undefined;
  /** The answer to a preflight (Fetch section 3.3); it comes without a token, by design. */
  preflight(request: Request, caller: string | undefined): Response;
  /** Lets the page that asks read the answer. */
  share(response: Response, caller: string | undefined): Response;
}

/** Pages of `url` itself and of the origins that are configured, exactly as browsers write them. */
export function mcpOrigins({ origin }: PublicOrigin, allowed: readonly string[]): McpOrigins {
  const known = new Set([origin, ...allowed]);

  return {
    callerOf({ headers }) {
      const caller = headers.get('origin');
      if (caller === null) return undefined;
      if (known.has(caller)) return caller;
      throw new AppError('forbidden', 'origin_not_allowed', 'Pages of this origin may not call this.');
    },
    preflight({ headers }, caller) {
      const asked = headers.get('access-control-request-headers') ?? '';
      const parameters = asked
        .split(',')
        .map((name) => name.trim().toLowerCase())
        .filter((name) => PARAMETER_HEADER.test(name));
      const response = new Response(null, { status: 204, headers: { allow: MCP_METHODS } });
      if (caller === undefined) return response;
      response.headers.set('access-control-allow-methods', MCP_METHODS);
      response.headers.set('access-control-allow-headers', [...REQUEST_HEADERS, ...parameters].join(', '));
      response.headers.set('access-control-max-age', String(PREFLIGHT_SECONDS));
      return response;
    },
    share(response, caller) {
      if (caller === undefined) return response;
      response.headers.set('access-control-allow-origin', caller);
      response.headers.set('access-control-expose-headers', EXPOSED_HEADERS);
      response.headers.append('vary', 'Origin');
      return response;
    },
  };
}
