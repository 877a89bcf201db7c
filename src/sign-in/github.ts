import type * as openidClient from 'openid-client';
import { z } from 'zod';
import { type ProviderAnswer, SignInRefused } from './model.ts';
import type { AuthorizationChecks, Provider } from './provider.ts';
import { libraryTimeoutSeconds, type ProviderDeps, providerFetch } from './provider-deps.ts';
import { describeError, refusalOf } from './provider-errors.ts';
import { toProviderTokens } from './provider-tokens.ts';

const GITHUB = 'https://github.com';
const GITHUB_API = 'https://api.github.com';

/** Reading the profile and the addresses, nothing else. */
const SCOPE = 'read:user user:email';

const profileSchema = z.object({ id: z.int().positive(), login: z.string(), name: z.string().nullish() });
const emailsSchema = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

interface Endpoints {
  /** Stands for the issuer identifier that OAuth-only providers lack. */
  readonly issuer: string;
  readonly authorize: string;
  readonly token: string;
  readonly user: string;
  readonly emails: string;
}

/**
 * GitHub, or a GitHub Enterprise Server at `issuer`: OAuth without OpenID, so that a person is the numeric account id
 * (a login can be given up and taken by somebody else), and nothing is told of logouts.
 */
export function githubProvider(deps: ProviderDeps): Provider {
  const { config, redirectUri, log } = deps;
  const endpoints = endpointsOf(config.issuer);

  return {
    name: config.name,
    label: config.label ?? 'GitHub',
    allow: config.allow,
    owners: config.owners,
    isAvailable: () => true,
    refresh: async () => undefined,

    async authorizationUrl({ state, codeVerifier }) {
      const { client, configuration } = await connect(deps, endpoints);
      return client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: [SCOPE, ...(deps.givesTokens ? config.upstream_scopes : [])].join(' '),
        state,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      });
    },

    async redeem(query, checks) {
      try {
        return await redeem(deps, endpoints, query, checks);
      } catch (error) {
        const refusal = refusalOf(error);
        log.warn('a sign-in failed at the provider', {
          provider: config.name,
          refusal,
          ...describeError(error),
        });
        throw new SignInRefused(refusal, { cause: error });
      }
    },

    endSessionUrl: () => undefined,
  };
}

function endpointsOf(server: string | undefined): Endpoints {
  const issuer = (server ?? GITHUB).replace(/\/$/, '');
  const api = issuer === GITHUB ? GITHUB_API : `${issuer}/api/v3`;
  return {
    issuer,
    authorize: `${issuer}/login/oauth/authorize`,
    token: `${issuer}/login/oauth/access_token`,
    user: `${api}/user`,
    emails: `${api}/user/emails`,
  };
}

/** There is nothing to discover: what openid-client wants to know stands in `endpoints`. */
async function connect(deps: ProviderDeps, { issuer, authorize, token }: Endpoints) {
  const client = await import('openid-client');
  const { client_id, client_secret } = deps.config;
  const configuration = new client.Configuration(
    { issuer, authorization_endpoint: authorize, token_endpoint: token },
    client_id,
    client_secret,
    client.ClientSecretPost(client_secret),
  );
  configuration[client.customFetch] = providerFetch(deps, deps.timing.provider_timeout);
  configuration.timeout = libraryTimeoutSeconds(deps.timing.provider_timeout);
  if (issuer.startsWith('http:')) client.allowInsecureRequests(configuration);
  return { client, configuration };
}

async function redeem(
  deps: ProviderDeps,
  endpoints: Endpoints,
  query: URLSearchParams,
  { state, codeVerifier }: AuthorizationChecks,
): Promise<ProviderAnswer> {
  const { client, configuration } = await connect(deps, endpoints);
  const callback = new URL(deps.redirectUri);
  callback.search = query.toString();
  const askedAt = deps.clock.now();
  const tokens = await client.authorizationCodeGrant(configuration, callback, {
    expectedState: state,
    pkceCodeVerifier: codeVerifier,
  });
  const read = (url: string) => readJson(client, configuration, tokens.access_token, url);
  const [profile, emails] = await Promise.all([
    read(endpoints.user).then((json) => profileSchema.parse(json)),
    read(endpoints.emails).then((json) => emailsSchema.parse(json)),
  ]);
  return {
    claims: {
      issuer: endpoints.issuer,
      subject: String(profile.id),
      provider: deps.config.name,
      preferredUsername: profile.login,
      displayName: profile.name ?? undefined,
      verifiedEmail: emails.find(({ primary, verified }) => primary && verified)?.email,
      groups: [],
    },
    sid: undefined,
    idToken: undefined,
    tokens: toProviderTokens(tokens, askedAt),
  };
}

async function readJson(
  client: typeof openidClient,
  configuration: openidClient.Configuration,
  accessToken: string,
  url: string,
): Promise<unknown> {
  const response = await client.fetchProtectedResource(configuration, accessToken, new URL(url), 'GET');
  if (response.status !== 200) throw new Error('an answer other than 200', { cause: response });
  return response.json();
}
