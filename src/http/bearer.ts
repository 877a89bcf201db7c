const BEARER_SCHEME = /^bearer(?:$|[ \t])/i;
/** `b64token` (RFC 6750 section 2.1). */
const BEARER_CREDENTIALS = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
 * `undefined`: no such header, or another scheme. Empty: the scheme is Bearer, what follows is no token
 * (two headers joined by a comma included), so that nothing else may stand in for it.
 */
export function bearerToken(request: Request): string | undefined {
  const header = request.headers.get('authorization');
  if (header === null || !BEARER_SCHEME.test(header)) return undefined;
  return BEARER_CREDENTIALS.exec(header)?.[1] ?? '';
}
