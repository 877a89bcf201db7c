import type { ServerMetadata } from 'openid-client';

/** Asks for a refresh token (OpenID Connect Core section 11). */
export const OFFLINE_ACCESS = 'offline_access';

/** What to ask an OpenID provider for when its tokens are kept: a refresh token too, where it offers any. */
export function keptScopes(
  scopes: readonly string[],
  { scopes_supported }: Pick<ServerMetadata, 'scopes_supported'>,
): string[] {
  const offline = scopes_supported?.includes(OFFLINE_ACCESS) === true ? [OFFLINE_ACCESS] : [];
  return [...new Set(['openid', ...scopes, ...offline])];
}
