import { AppError } from '../lib/app-error.ts';
import { OPEN_CORS } from './open-cors.ts';
import { toProblem } from './problem.ts';

/** Codes that stand in a specification: RFC 6749 section 5.2, RFC 7009 section 2.2.1, RFC 7591 section 3.2.2, RFC 8628 section 3.5, RFC 8707 section 2. */
const OAUTH_CODES = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'invalid_redirect_uri',
  'invalid_client_metadata',
  'authorization_pending',
  'slow_down',
  'access_denied',
  'expired_token',
];

/** An error of the token, registration, revocation and introspection endpoints. Any page may read it. */
export function oauthErrorResponse(error: unknown): Response {
  const { status, detail, headers } = toProblem(error);
  const { 'www-authenticate': _, ...others } = headers;
  const challenge: Record<string, string> =
    status === 401 ? { 'www-authenticate': 'Basic realm="postern"' } : {};
  return new Response(JSON.stringify({ error: oauthCode(error, status), error_description: detail }), {
    status,
    headers: {
      ...others,
      ...challenge,
      ...OPEN_CORS,
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
  });
}

function oauthCode(error: unknown, status: number): string {
  if (error instanceof AppError && OAUTH_CODES.includes(error.code)) return error.code;
  if (status === 429 || status === 503) return 'temporarily_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request';
}
