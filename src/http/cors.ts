import { AppError } from '../lib/app-error.ts';
import { isBelow } from './path.ts';

const SHARED_PATH = '/api/v1';
const ALLOWED_HEADERS = 'authorization, content-type';
/** How long a browser may remember a preflight, in seconds. */
const PREFLIGHT_SECONDS = 600;

export interface Cors {
  /** The answer to a preflight (Fetch section 3.3), `undefined` when the request is none. @throws AppError `forbidden`. */
  preflight(request: Request, path: string, methods: () => readonly string[]): Response | undefined;
  /** Lets an allowed origin read the answer. */
  share(request: Request, path: string, headers: Headers): void;
}

/** `/api/v1` for pages of the origins named, exactly as browsers write them; nobody else's page reads anything. */
export function cors(allowedOrigins: readonly string[]): Cors {
  const allowed = new Set(allowedOrigins);
  const callerOf = (request: Request) => {
    const origin = request.headers.get('origin');
    return origin !== null && allowed.has(origin) ? origin : undefined;
  };

  const share = (request: Request, path: string, headers: Headers) => {
    if (allowed.size === 0 || !isBelow(path, SHARED_PATH)) return;
    headers.append('vary', 'Origin');
    const origin = callerOf(request);
    if (origin === undefined) return;
    headers.set('access-control-allow-origin', origin);
    headers.set('access-control-allow-credentials', 'true');
    headers.set('cross-origin-resource-policy', 'cross-origin');
  };

  return {
    share,
    preflight(request, path, methods) {
      const isPreflight =
        request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
      if (!isPreflight || !isBelow(path, SHARED_PATH)) return undefined;
      if (callerOf(request) === undefined) {
        throw new AppError('forbidden', 'origin_not_allowed', 'Pages of this origin may not call this.');
      }
      return new Response(null, {
        status: 204,
        headers: {
          'access-control-allow-methods': methods().join(', '),
          'access-control-allow-headers': ALLOWED_HEADERS,
          'access-control-max-age': String(PREFLIGHT_SECONDS),
        },
      });
    },
  };
}
