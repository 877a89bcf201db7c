import type { JWTVerifyGetKey } from 'jose';
import type * as openidClient from 'openid-client';
import { type ConnectionDeps, libraryTimeoutSeconds, providerFetch } from './provider-deps.ts';
import { describeError, providerUnavailable } from './provider-errors.ts';

export type OpenidClient = typeof openidClient;

/** What is known of a provider that has answered. */
export interface OidcConnection {
  readonly client: OpenidClient;
  readonly configuration: openidClient.Configuration;
  readonly metadata: Readonly<openidClient.ServerMetadata>;
  /** The keys it signs with, for what openid-client does not read; absent when it publishes none. */
  readonly keys: JWTVerifyGetKey | undefined;
  /** Monotonic milliseconds. */
  readonly madeAt: number;
}

export interface OidcConnector {
  readonly current: OidcConnection | undefined;
  /** @throws AppError `unavailable` (`provider_unavailable`). */
  get(): Promise<OidcConnection>;
  /** Connects where that is due. Never rejects. */
  refresh(): Promise<void>;
}

/** After a failure, callers within this time hear of it at once instead of asking the provider again. */
const FAILURE_PAUSE_MS = 2_000;

/** Holds the connection to one provider: one discovery at a time, kept over failures, read again when it is old. */
export function oidcConnector(deps: ConnectionDeps): OidcConnector {
  const { clock, log, timing } = deps;
  const provider = deps.config.name;
  let current: OidcConnection | undefined;
  let failedAt: number | undefined;
  let running: Promise<OidcConnection> | undefined;

  const connect = async (): Promise<OidcConnection> => {
    try {
      const found = await discover(deps);
      if (current === undefined)
        log.info('the provider is ready', { provider, issuer: found.metadata.issuer });
      current = found;
      failedAt = undefined;
      return found;
    } catch (error) {
      const level = failedAt === undefined ? 'warn' : 'debug';
      failedAt = clock.monotonicNow();
      const keeps = current !== undefined;
      log[level]('a provider did not answer discovery', {
        provider,
        keeps,
        ...describeDiscoveryError(error),
      });
      throw providerUnavailable(Math.ceil(timing.discovery_retry / 1000), error);
    }
  };
  const connectOnce = () => {
    running ??= connect().finally(() => {
      running = undefined;
    });
    return running;
  };
  const isDue = () =>
    current === undefined || clock.monotonicNow() - current.madeAt >= timing.metadata_refresh;

  return {
    get current() {
      return current;
    },
    async get() {
      if (current !== undefined) return current;
      if (failedAt !== undefined && clock.monotonicNow() - failedAt < FAILURE_PAUSE_MS) {
        throw providerUnavailable(Math.ceil(timing.discovery_retry / 1000));
      }
      return connectOnce();
    },
    async refresh() {
      // What went wrong is logged where it is found.
      if (isDue()) await connectOnce().catch(() => undefined);
    },
  };
}

async function discover(deps: ConnectionDeps): Promise<OidcConnection> {
  const { config, timing, clock } = deps;
  const client = await import('openid-client');
  const issuer = new URL(config.issuer ?? '');
  const configuration = await client.discovery(
    issuer,
    config.client_id,
    config.client_secret,
    clientAuth(client, config),
    {
      [client.customFetch]: providerFetch(deps, timing.discovery_timeout),
      timeout: libraryTimeoutSeconds(timing.discovery_timeout),
      execute: [
        // The ID token comes straight from the provider, but not always over TLS: its signature is checked all the same.
        client.enableNonRepudiationChecks,
        ...(issuer.protocol === 'http:' ? [client.allowInsecureRequests] : []),
      ],
    },
  );
  configuration[client.customFetch] = providerFetch(deps, timing.provider_timeout);
  configuration.timeout = libraryTimeoutSeconds(timing.provider_timeout);
  const metadata = configuration.serverMetadata();
  return {
    client,
    configuration,
    metadata,
    keys: await remoteKeys(deps, issuer, metadata),
    madeAt: clock.monotonicNow(),
  };
}

async function remoteKeys(
  deps: ConnectionDeps,
  issuer: URL,
  metadata: Readonly<openidClient.ServerMetadata>,
) {
  const url = metadata.jwks_uri === undefined ? null : URL.parse(metadata.jwks_uri);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== issuer.protocol)) return undefined;
  const { createRemoteJWKSet, customFetch } = await import('jose');
  return createRemoteJWKSet(url, {
    [customFetch]: providerFetch(deps, deps.timing.provider_timeout),
    timeoutDuration: libraryTimeoutSeconds(deps.timing.provider_timeout) * 1000,
  });
}

/**
 * How the secret is sent: as configured, else what the provider lists, else `client_secret_basic`, which is what a
 * provider that lists nothing takes (OpenID Connect Discovery section 3).
 */
function clientAuth(client: OpenidClient, config: ConnectionDeps['config']): openidClient.ClientAuth {
  const basic = client.ClientSecretBasic(config.client_secret);
  const post = client.ClientSecretPost(config.client_secret);
  return (server, metadata, body, headers) => {
    const listed = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const method =
      config.token_endpoint_auth_method ??
      (listed.includes('client_secret_basic') ? 'client_secret_basic' : 'client_secret_post');
    return (method === 'client_secret_post' ? post : basic)(server, metadata, body, headers);
  };
}

/** A provider that calls itself something else is the usual mistake; its own name tells the operator what to write. */
function describeDiscoveryError(error: unknown): Record<string, string> {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const body = typeof cause === 'object' && cause !== null && 'body' in cause ? cause.body : undefined;
  const issuer = typeof body === 'object' && body !== null && 'issuer' in body ? body.issuer : undefined;
  return {
    ...describeError(error),
    ...(typeof issuer === 'string' && { published_issuer: issuer.slice(0, 256) }),
  };
}
