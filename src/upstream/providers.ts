import type { Config, ProviderConfig, UpstreamProviderConfig } from '../config/schema.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { ConnectionDeps } from '../sign-in/provider-deps.ts';
import { oauthProvider } from './oauth-provider.ts';
import type { OAuthService } from './oauth-service.ts';
import type { UpstreamProvider } from './provider.ts';
import { forgejoService } from './service-forgejo.ts';
import { githubService } from './service-github.ts';
import { gitlabService } from './service-gitlab.ts';
import { oidcService } from './service-oidc.ts';

export interface UpstreamProvidersDeps {
  config: Pick<Config, 'provider' | 'upstream' | 'sign_in'>;
  /** Names of the providers whose tokens MCP backends are given. */
  needed: ReadonlySet<string>;
  /** The origin of `url`. */
  origin: string;
  clock: Clock;
  log: Logger;
  ending: AbortSignal;
}

export interface UpstreamProviders {
  /** Those that accounts can be linked at, in the order of the configuration. */
  readonly all: readonly UpstreamProvider[];
  /** @throws AppError `not_found` (`unknown_provider`). */
  get(name: string): UpstreamProvider;
  find(name: string): UpstreamProvider | undefined;
}

/**
 * Where accounts can be linked: providers that people sign in through as far as a backend needs their tokens, and every
 * one that stands in the configuration for nothing else. Nothing is asked of them before somebody needs it.
 */
export function openUpstreamProviders(deps: UpstreamProvidersDeps): UpstreamProviders {
  const { config, needed } = deps;
  const all = [
    ...config.provider.filter(({ name }) => needed.has(name)).map((one) => ofSignIn(deps, one)),
    ...config.upstream.provider.map((one) => ofUpstream(deps, one)),
  ];
  const byName = new Map(all.map((provider) => [provider.name, provider]));
  return {
    all,
    find: (name) => byName.get(name),
    get(name) {
      const provider = byName.get(name);
      if (provider === undefined)
        throw new AppError('not_found', 'unknown_provider', 'There is no such provider.');
      return provider;
    },
  };
}

function ofSignIn(deps: UpstreamProvidersDeps, config: ProviderConfig): UpstreamProvider {
  const connection = connectionDeps(deps, config);
  const { scopes, upstream_scopes, upstream_params } = config;
  const service =
    config.kind === 'github'
      ? githubService(connection, upstream_scopes)
      : oidcService(connection, [...scopes, ...upstream_scopes]);
  return withService(deps, config, upstream_params, service);
}

function ofUpstream(deps: UpstreamProvidersDeps, config: UpstreamProviderConfig): UpstreamProvider {
  return withService(deps, config, config.params, serviceOf(connectionDeps(deps, config), config));
}

function serviceOf(connection: ConnectionDeps, { kind, scopes }: UpstreamProviderConfig): OAuthService {
  switch (kind) {
    case 'oidc':
      return oidcService(connection, scopes);
    case 'github':
      return githubService(connection, scopes);
    case 'gitlab':
      return gitlabService(connection, scopes);
    case 'forgejo':
      return forgejoService(connection, scopes, 'Forgejo');
    case 'gitea':
      return forgejoService(connection, scopes, 'Gitea');
  }
}

function withService(
  deps: UpstreamProvidersDeps,
  config: ConnectionDeps['config'] & { label?: string | undefined },
  params: readonly string[],
  service: OAuthService,
): UpstreamProvider {
  const redirectUri = `${deps.origin}/callback/${config.name}`;
  return oauthProvider(
    { ...connectionDeps(deps, config), label: config.label, params, redirectUri },
    service,
  );
}

/** A refresh has time of its own: an answer that is not waited for is a login that is lost. */
function connectionDeps(
  { config: { sign_in, upstream }, clock, log, ending }: UpstreamProvidersDeps,
  config: ConnectionDeps['config'],
): ConnectionDeps {
  return { config, timing: { ...sign_in, provider_timeout: upstream.refresh_timeout }, clock, log, ending };
}
