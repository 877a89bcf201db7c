import type { Config, ProviderConfig } from '../config/schema.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { startLoop } from '../lib/loop.ts';
import { githubProvider } from './github.ts';
import { oidcProvider } from './oidc.ts';
import type { Provider } from './provider.ts';

export interface ProvidersDeps {
  config: Pick<Config, 'provider' | 'sign_in'>;
  /** The origin of `url`. */
  origin: string;
  clock: Clock;
  log: Logger;
  /** Names of the providers whose tokens MCP backends are given. */
  giveTokens: ReadonlySet<string>;
  onRound?: (outcome: 'success' | 'failure') => void;
}

export interface Providers extends AsyncDisposable {
  /** In the order of the configuration. */
  readonly all: readonly Provider[];
  /** @throws AppError `not_found` (`unknown_provider`). */
  get(name: string): Provider;
  /** Asks every provider that is due; never rejects. */
  refresh(): Promise<void>;
}

/**
 * The configured providers. What they publish is read in the background, from now on: nobody waits at start, and one
 * that is down is asked again every `discovery_retry`.
 */
export function openProviders({ config, origin, clock, log, giveTokens, onRound }: ProvidersDeps): Providers {
  const ending = new AbortController();
  const toProvider = (one: ProviderConfig): Provider =>
    (one.kind === 'github' ? githubProvider : oidcProvider)({
      config: one,
      timing: config.sign_in,
      redirectUri: `${origin}/callback/${one.name}`,
      postLogoutRedirectUri: `${origin}/signed-out`,
      givesTokens: giveTokens.has(one.name),
      clock,
      log,
      ending: ending.signal,
    });
  const all = config.provider.map(toProvider);
  const byName = new Map(all.map((provider) => [provider.name, provider]));
  const refreshAll = async () => {
    await Promise.all(all.map((provider) => provider.refresh()));
  };
  const loop = startLoop({
    name: 'providers',
    everyMs: config.sign_in.discovery_retry,
    clock,
    log,
    run: refreshAll,
    ...(onRound !== undefined && { onRound }),
  });
  if (all.length > 0) void loop.runNow();

  return {
    all,
    get(name) {
      const provider = byName.get(name);
      if (provider === undefined)
        throw new AppError('not_found', 'unknown_provider', 'There is no such provider.');
      return provider;
    },
    refresh: () => loop.runNow(),
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the appliance is shutting down'));
      await loop[Symbol.asyncDispose]();
    },
  };
}
