import { z } from 'zod';
import { type ConnectionDeps, libraryTimeoutSeconds, providerFetch } from '../sign-in/provider-deps.ts';
import type { ServiceConnection } from './oauth-service.ts';
import { mendingTokenAnswers } from './token-answers.ts';

/** Endpoints that stand in a service's documentation: there is nothing to discover. */
export interface KnownEndpoints {
  /** Stands for the issuer identifier. */
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly revocation_endpoint?: string;
}

/** The address of a server, without a slash at its end. */
export const addressOf = (issuer: string | undefined, otherwise: string): string =>
  (issuer ?? otherwise).replace(/\/+$/, '');

/** Connects to a service whose endpoints are known; the library is loaded when it is first needed. */
export async function knownConnection(
  deps: ConnectionDeps,
  endpoints: KnownEndpoints,
): Promise<ServiceConnection> {
  const client = await import('openid-client');
  const { client_id, client_secret, token_endpoint_auth_method } = deps.config;
  const authenticate =
    token_endpoint_auth_method === 'client_secret_basic' ? client.ClientSecretBasic : client.ClientSecretPost;
  const configuration = new client.Configuration(
    { ...endpoints },
    client_id,
    client_secret,
    authenticate(client_secret),
  );
  configuration[client.customFetch] = mendingTokenAnswers(providerFetch(deps, deps.timing.provider_timeout));
  configuration.timeout = libraryTimeoutSeconds(deps.timing.provider_timeout);
  if (endpoints.issuer.startsWith('http:')) client.allowInsecureRequests(configuration);
  return { client, configuration };
}

/** Reads what an address says to the bearer of a token. @throws unless it is 200 and of that shape. */
export async function readAs<T>(
  { client, configuration }: ServiceConnection,
  accessToken: string,
  url: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const response = await client.fetchProtectedResource(configuration, accessToken, new URL(url), 'GET');
  if (response.status !== 200) throw new Error('an answer other than 200', { cause: response });
  return schema.parse(await response.json());
}
