import { verifyLogoutToken } from './logout-token.ts';
import { type ProviderAnswer, SignInRefused } from './model.ts';
import { lacksClaims, toIdentityClaims } from './oidc-claims.ts';
import { type OidcConnection, oidcConnector } from './oidc-connection.ts';
import { keptScopes } from './oidc-scopes.ts';
import type { AuthorizationChecks, EndSessionRequest, Provider } from './provider.ts';
import type { ProviderDeps } from './provider-deps.ts';
import { describeError, providerUnavailable, refusalOf } from './provider-errors.ts';
import { toProviderTokens } from './provider-tokens.ts';

/**
 * Longest ID token that is handed back as a hint, in characters. It travels in a URL in a header, and nginx takes 4 KiB
 * of headers unless told otherwise. Without the hint the provider asks the person once more.
 */
const HINT_MAX_LENGTH = 2_000;

/** An OpenID provider: code flow with PKCE, state and nonce (OpenID Connect Core section 3.1, RFC 9700). */
export function oidcProvider(deps: ProviderDeps): Provider {
  const { config, redirectUri, log } = deps;
  const connector = oidcConnector(deps);
  const scopesFor = (metadata: OidcConnection['metadata']) =>
    deps.givesTokens
      ? keptScopes([...config.scopes, ...config.upstream_scopes], metadata)
      : [...new Set(['openid', ...config.scopes])];

  return {
    name: config.name,
    label: config.label ?? config.name,
    allow: config.allow,
    owners: config.owners,
    isAvailable: () => connector.current !== undefined,
    refresh: () => connector.refresh(),

    async authorizationUrl({ state, nonce, codeVerifier }) {
      const { client, configuration, metadata } = await connector.get();
      return client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: scopesFor(metadata).join(' '),
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      });
    },

    async redeem(query, checks) {
      try {
        return await redeem(deps, await connector.get(), query, checks);
      } catch (error) {
        const refusal = error instanceof SignInRefused ? error.refusal : refusalOf(error);
        log.warn('a sign-in failed at the provider', {
          provider: config.name,
          refusal,
          ...describeError(error),
        });
        throw error instanceof SignInRefused ? error : new SignInRefused(refusal, { cause: error });
      }
    },

    endSessionUrl({ idTokenHint, state }: EndSessionRequest) {
      const connection = connector.current;
      if (connection?.metadata.end_session_endpoint === undefined) return undefined;
      const hint =
        idTokenHint !== undefined && idTokenHint.length <= HINT_MAX_LENGTH ? idTokenHint : undefined;
      return connection.client.buildEndSessionUrl(connection.configuration, {
        post_logout_redirect_uri: deps.postLogoutRedirectUri,
        state,
        ...(hint !== undefined && { id_token_hint: hint }),
      });
    },

    async readLogoutToken(token) {
      const { metadata, keys } = await connector.get();
      if (keys === undefined) throw providerUnavailable(Math.ceil(deps.timing.discovery_retry / 1000));
      const expected = { issuer: metadata.issuer, audience: config.client_id, now: deps.clock.now() };
      return verifyLogoutToken(token, keys, expected);
    },
  };
}

async function redeem(
  { config, redirectUri, clock }: ProviderDeps,
  { client, configuration, metadata }: OidcConnection,
  query: URLSearchParams,
  { state, nonce, codeVerifier }: AuthorizationChecks,
): Promise<ProviderAnswer> {
  const callback = new URL(redirectUri);
  callback.search = query.toString();
  const askedAt = clock.now();
  const tokens = await client.authorizationCodeGrant(configuration, callback, {
    expectedState: state,
    expectedNonce: nonce,
    pkceCodeVerifier: codeVerifier,
    idTokenExpected: true,
  });
  const idToken = tokens.claims();
  if (idToken === undefined) throw new SignInRefused('answer_invalid');
  const asksUserInfo = metadata.userinfo_endpoint !== undefined && lacksClaims(idToken, config.groups_claim);
  const userInfo = asksUserInfo
    ? await client.fetchUserInfo(configuration, tokens.access_token, idToken.sub)
    : undefined;
  const claims = toIdentityClaims({
    issuer: metadata.issuer,
    provider: config.name,
    groupsClaim: config.groups_claim,
    idToken,
    userInfo,
  });
  if (claims === undefined) throw new SignInRefused('answer_invalid');
  const sid = typeof idToken['sid'] === 'string' ? idToken['sid'] : undefined;
  return { claims, sid, idToken: tokens.id_token, tokens: toProviderTokens(tokens, askedAt) };
}
