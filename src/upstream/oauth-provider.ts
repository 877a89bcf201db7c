import type { AuthorizationChecks } from '../sign-in/provider.ts';
import type { ConnectionDeps } from '../sign-in/provider-deps.ts';
import { describeError } from '../sign-in/provider-errors.ts';
import { toProviderTokens } from '../sign-in/provider-tokens.ts';
import { LinkRefused } from './model.ts';
import type { OAuthService } from './oauth-service.ts';
import type { RefreshAnswer, UpstreamProvider } from './provider.ts';
import { linkRefused, refreshFailure } from './provider-errors.ts';

export interface OAuthProviderDeps extends ConnectionDeps {
  label: string | undefined;
  /** Of the configuration, `name=value`. */
  params: readonly string[];
  /** `/callback/<name>` on our origin. */
  redirectUri: string;
}

/** Links accounts and refreshes their tokens by plain OAuth: code flow with PKCE, state and, where there are ID tokens, nonce. */
export function oauthProvider(deps: OAuthProviderDeps, service: OAuthService): UpstreamProvider {
  const { clock, config, log, redirectUri } = deps;

  const redeem = async (query: URLSearchParams, { state, nonce, codeVerifier }: AuthorizationChecks) => {
    const connection = await service.connect();
    const callback = new URL(redirectUri);
    callback.search = query.toString();
    const askedAt = clock.now();
    const answer = await connection.client.authorizationCodeGrant(connection.configuration, callback, {
      expectedState: state,
      pkceCodeVerifier: codeVerifier,
      ...(service.hasIdTokens && { expectedNonce: nonce, idTokenExpected: true }),
    });
    const tokens = toProviderTokens(answer, askedAt);
    if (tokens === undefined) throw new LinkRefused('answer_invalid');
    return { tokens, account: await service.accountOf(connection, answer) };
  };

  const refresh = async (refreshToken: string): Promise<RefreshAnswer> => {
    const { client, configuration } = await service.connect();
    const askedAt = clock.now();
    const answer = await client.refreshTokenGrant(configuration, refreshToken);
    const tokens = toProviderTokens(answer, askedAt);
    if (tokens !== undefined) return { kind: 'tokens', tokens };
    return { kind: 'refused', retryAfterMs: undefined, error: new Error('the new tokens cannot be used') };
  };

  return {
    name: config.name,
    label: deps.label ?? service.label,

    async authorizationUrl({ state, nonce, codeVerifier }) {
      const connection = await service.connect();
      const { client, configuration } = connection;
      const scope = service.scopesFor(connection).join(' ');
      return client.buildAuthorizationUrl(configuration, {
        ...service.paramsFor(connection),
        ...parameters(deps.params),
        redirect_uri: redirectUri,
        ...(scope !== '' && { scope }),
        state,
        ...(service.hasIdTokens && { nonce }),
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      });
    },

    async redeem(query, checks) {
      try {
        return await redeem(query, checks);
      } catch (error) {
        const refused = linkRefused(error);
        log.warn('an account could not be linked', {
          provider: config.name,
          refusal: refused.refusal,
          ...describeError(error),
        });
        throw refused;
      }
    },

    async refresh(refreshToken) {
      try {
        return await refresh(refreshToken);
      } catch (error) {
        return refreshFailure(error, service.endingErrors);
      }
    },

    async revoke({ accessToken, refreshToken }) {
      if (service.revoke !== undefined) {
        if (accessToken !== undefined) await service.revoke(accessToken);
        return accessToken !== undefined;
      }
      const { client, configuration } = await service.connect();
      if (configuration.serverMetadata().revocation_endpoint === undefined) return false;
      const tell = (token: string, token_type_hint: string) =>
        client.tokenRevocation(configuration, token, { token_type_hint });
      // The refresh token first: it is the one that lasts, and most servers end the access token with it.
      if (refreshToken !== undefined) await tell(refreshToken, 'refresh_token');
      if (accessToken !== undefined) await tell(accessToken, 'access_token');
      return true;
    },
  };
}

function parameters(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
