import type { NativeHandler } from '../http/native.ts';
import { oauthErrorResponse } from '../http/oauth-error.ts';
import { OPEN_CORS, openPreflight } from '../http/open-cors.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { setSecurityHeaders } from '../http/security-headers.ts';
import { AppError } from '../lib/app-error.ts';

/** What answers of these endpoints always say. Made once: the token endpoint answers thousands a second. */
export function answerHeaders(origin: PublicOrigin): Readonly<Record<string, string>> {
  const headers = new Headers({ ...OPEN_CORS, 'content-type': 'application/json' });
  setSecurityHeaders(headers, origin.host, origin);
  return Object.fromEntries(headers);
}

/** An endpoint for programs that pages of any origin may call, because no cookie counts here. */
export function openEndpoint(
  methods: readonly string[],
  handle: (request: Request) => Response | Promise<Response>,
): NativeHandler {
  return (request) => {
    if (methods.includes(request.method)) return handle(request);
    if (request.method === 'OPTIONS') return openPreflight(methods);
    return refusedMethod(methods);
  };
}

/** It says which methods there are (RFC 9110 section 15.5.6). */
function refusedMethod(methods: readonly string[]): Response {
  const refusal = new AppError(
    'method_not_allowed',
    'method_not_allowed',
    'this endpoint does not take that method',
  );
  const response = oauthErrorResponse(refusal);
  response.headers.set('allow', methods.join(', '));
  return response;
}
