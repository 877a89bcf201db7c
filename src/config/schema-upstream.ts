import { z } from 'zod';
import { duration } from './duration.ts';
import { clientKeys, issuer, providerName } from './schema-provider.ts';
import { checkedText, choice, list, tables, text } from './values.ts';

/** What an authorization request says by itself; nothing in the configuration may say it instead. */
const OWN_PARAMETERS = [
  'client_id',
  'client_secret',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'redirect_uri',
  'request',
  'request_uri',
  'response_mode',
  'response_type',
  'scope',
  'state',
];

function parameterFault(value: string): string | undefined {
  const at = value.indexOf('=');
  if (at < 1) return 'name=value';
  return OWN_PARAMETERS.includes(value.slice(0, at))
    ? `another parameter; ${value.slice(0, at)} is ours to send`
    : undefined;
}

/** Parameters of the authorization request that some providers want before they give a refresh token. */
export const authorizationParams = () =>
  list(checkedText('name=value', parameterFault), 'a list of name=value').default([]);

const upstreamProvider = () =>
  z.strictObject(
    {
      name: providerName(),
      label: text('a text').optional().describe('what it is called on the page of linked accounts'),
      kind: choice(['oidc', 'github', 'gitlab', 'forgejo', 'gitea'])
        .default('oidc')
        .describe('`oidc`, or a service whose endpoints are known'),
      issuer: issuer(
        'the issuer identifier, exactly as the provider publishes it, required for `oidc`; otherwise the address of the server, required for `forgejo` and `gitea`',
      ),
      ...clientKeys(),
      scopes: list(text('a scope'), 'a list of scopes')
        .default([])
        .describe(
          'scopes asked for; `oidc` adds `openid`, and `offline_access` where the provider offers it',
        ),
      params: authorizationParams().describe('further parameters of the authorization request, `name=value`'),
    },
    { error: 'a table [[upstream.provider]]' },
  );

export const upstreamSchema = () =>
  z.strictObject(
    {
      provider: tables('upstream.provider', upstreamProvider).describe(
        'services whose tokens MCP backends are given, and through which nobody signs in',
      ),
      link_lifetime: duration('10m').describe(
        'time to come back from the provider when an account is linked',
      ),
      rotate_interval: duration('1m').describe(
        'how often tokens in use are looked at, besides when they are due',
      ),
      refresh_lead: duration('5m').describe(
        'how long before its end a token in use is refreshed; half its life where that is shorter',
      ),
      refresh_timeout: duration('30s').describe('time a provider has to answer a refresh'),
      retry_first: duration('1s').describe('wait after a refresh that failed; it doubles with each failure'),
      retry_longest: duration('1m').describe('longest wait between two refreshes that fail'),
    },
    { error: 'a table [upstream]' },
  );
