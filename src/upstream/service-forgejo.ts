import { z } from 'zod';
import type { ConnectionDeps } from '../sign-in/provider-deps.ts';
import type { OAuthService } from './oauth-service.ts';
import { addressOf, knownConnection, readAs } from './service-known.ts';

const profileSchema = z.object({
  sub: z.union([z.string().min(1), z.int().positive()]),
  preferred_username: z.string().optional(),
});

/**
 * Forgejo or Gitea at `issuer`; both speak the same. They have no revocation, and say `unauthorized_client` for a
 * refresh token that was used before or has ended: a client that may not is `invalid_client` there.
 */
export function forgejoService(
  deps: ConnectionDeps,
  scopes: readonly string[],
  label: 'Forgejo' | 'Gitea',
): OAuthService {
  const issuer = addressOf(deps.config.issuer, '');
  const endpoints = {
    issuer,
    authorization_endpoint: `${issuer}/login/oauth/authorize`,
    token_endpoint: `${issuer}/login/oauth/access_token`,
  };

  return {
    label,
    hasIdTokens: false,
    endingErrors: ['invalid_grant', 'unauthorized_client'],
    connect: () => knownConnection(deps, endpoints),
    scopesFor: () => scopes,
    paramsFor: () => ({}),

    async accountOf(connection, { access_token }) {
      const url = `${issuer}/login/oauth/userinfo`;
      const { sub, preferred_username } = await readAs(connection, access_token, url, profileSchema);
      return { issuer, subject: String(sub), name: preferred_username };
    },
  };
}
