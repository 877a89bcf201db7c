import { z } from 'zod';
import type { ConnectionDeps } from '../sign-in/provider-deps.ts';
import type { UpstreamAccount } from './model.ts';
import type { OAuthService, ServiceConnection } from './oauth-service.ts';
import { addressOf, knownConnection, readAs } from './service-known.ts';

const GITLAB = 'https://gitlab.com';

const profileSchema = z.object({ id: z.int().positive(), username: z.string() });
const tokenInfoSchema = z.object({ resource_owner_id: z.int().positive() });

/** GitLab.com, or a GitLab server at `issuer`. Tokens end after two hours; each refresh replaces the refresh token. */
export function gitlabService(deps: ConnectionDeps, scopes: readonly string[]): OAuthService {
  const issuer = addressOf(deps.config.issuer, GITLAB);
  const endpoints = {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
  };

  return {
    label: 'GitLab',
    hasIdTokens: false,
    endingErrors: ['invalid_grant'],
    connect: () => knownConnection(deps, endpoints),
    scopesFor: () => scopes,
    paramsFor: () => ({}),
    accountOf: (connection, { access_token }) => accountOf(connection, issuer, access_token),
  };
}

/** The profile takes the scope `read_user` or `api`; whose a token is, every token may ask. */
async function accountOf(
  connection: ServiceConnection,
  issuer: string,
  accessToken: string,
): Promise<UpstreamAccount> {
  try {
    const profile = await readAs(connection, accessToken, `${issuer}/api/v4/user`, profileSchema);
    return { issuer, subject: String(profile.id), name: profile.username };
  } catch {
    const info = await readAs(connection, accessToken, `${issuer}/oauth/token/info`, tokenInfoSchema);
    return { issuer, subject: String(info.resource_owner_id), name: undefined };
  }
}
