import { z } from 'zod';
import { type ConnectionDeps, providerFetch } from '../sign-in/provider-deps.ts';
import type { OAuthService } from './oauth-service.ts';
import { addressOf, knownConnection, readAs } from './service-known.ts';

const GITHUB = 'https://github.com';
const GITHUB_API = 'https://api.github.com';

const profileSchema = z.object({ id: z.int().positive(), login: z.string() });

/**
 * GitHub, or a GitHub Enterprise Server at `issuer`. Tokens of an OAuth App do not end; those of a GitHub App do, after
 * eight hours, and come with a refresh token that is replaced at each use.
 */
export function githubService(deps: ConnectionDeps, scopes: readonly string[]): OAuthService {
  const issuer = addressOf(deps.config.issuer, GITHUB);
  const api = issuer === GITHUB ? GITHUB_API : `${issuer}/api/v3`;
  const endpoints = {
    issuer,
    authorization_endpoint: `${issuer}/login/oauth/authorize`,
    token_endpoint: `${issuer}/login/oauth/access_token`,
  };

  return {
    label: 'GitHub',
    hasIdTokens: false,
    endingErrors: ['invalid_grant', 'bad_refresh_token'],
    connect: () => knownConnection(deps, endpoints),
    scopesFor: () => scopes,
    paramsFor: () => ({}),

    async accountOf(connection, { access_token }) {
      const { id, login } = await readAs(connection, access_token, `${api}/user`, profileSchema);
      return { issuer, subject: String(id), name: login };
    },

    /** Takes back the whole authorization of the app, refresh tokens included (GitHub REST API, "Delete an app authorization"). */
    async revoke(accessToken) {
      const { client_id, client_secret } = deps.config;
      const ask = providerFetch(deps, deps.timing.provider_timeout);
      const response = await ask(`${api}/applications/${encodeURIComponent(client_id)}/grant`, {
        method: 'DELETE',
        headers: {
          authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`,
          accept: 'application/vnd.github+json',
          'content-type': 'application/json',
          'user-agent': 'postern',
        },
        body: JSON.stringify({ access_token: accessToken }),
      });
      // 404 and 422: there is nothing left to take back.
      if (![204, 404, 422].includes(response.status)) {
        throw new Error('the authorization was not taken back', { cause: response });
      }
    },
  };
}
