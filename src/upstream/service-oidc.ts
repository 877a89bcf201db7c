import { oidcConnector } from '../sign-in/oidc-connection.ts';
import { keptScopes, OFFLINE_ACCESS } from '../sign-in/oidc-scopes.ts';
import { type ConnectionDeps, providerFetch } from '../sign-in/provider-deps.ts';
import type { OAuthService } from './oauth-service.ts';
import { mendingTokenAnswers } from './token-answers.ts';

/** Any OpenID provider: its endpoints are discovered, its ID token says whose tokens they are. */
export function oidcService(deps: ConnectionDeps, scopes: readonly string[]): OAuthService {
  const connector = oidcConnector(deps);
  const ask = mendingTokenAnswers(providerFetch(deps, deps.timing.provider_timeout));

  return {
    label: deps.config.name,
    hasIdTokens: true,
    endingErrors: ['invalid_grant'],

    async connect() {
      // Old metadata is good until the new is there.
      if (connector.current !== undefined) void connector.refresh();
      const { client, configuration } = await connector.get();
      configuration[client.customFetch] = ask;
      return { client, configuration };
    },

    scopesFor: ({ configuration }) => keptScopes(scopes, configuration.serverMetadata()),

    // Without it a provider may leave offline access out (OpenID Connect Core section 11).
    paramsFor: ({ configuration }): Record<string, string> =>
      keptScopes(scopes, configuration.serverMetadata()).includes(OFFLINE_ACCESS)
        ? { prompt: 'consent' }
        : {},

    async accountOf({ configuration }, answer) {
      const claims = answer.claims();
      if (claims === undefined) throw new Error('there is no ID token');
      const name = [claims['preferred_username'], claims['email'], claims['name']].find(
        (each) => typeof each === 'string',
      );
      return {
        issuer: configuration.serverMetadata().issuer,
        subject: claims.sub,
        name: typeof name === 'string' ? name : undefined,
      };
    },
  };
}
