import type { Config, ProviderConfig } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { fetchConfigured } from '../lib/safe-fetch.ts';

export interface ProviderDeps {
  config: ProviderConfig;
  timing: Pick<
    Config['sign_in'],
    'discovery_timeout' | 'discovery_retry' | 'metadata_refresh' | 'provider_timeout'
  >;
  /** `/callback/<name>` on our origin. */
  redirectUri: string;
  /** Where a browser comes back to once it has signed out there. */
  postLogoutRedirectUri: string;
  clock: Clock;
  log: Logger;
  /** Aborts when the appliance shuts down: nobody waits for a provider then. */
  ending: AbortSignal;
}

/** Longest answer of a provider, in bytes: metadata, keys, tokens and claims are all far smaller. */
const MAX_ANSWER_BYTES = 1_048_576;

/** `fetch` as openid-client and jose want it, within our limits. */
export type ProviderFetch = (url: string, init: RequestInit) => Promise<Response>;

export function providerFetch({ clock, ending }: ProviderDeps, timeoutMs: number): ProviderFetch {
  return (url, init) => {
    const signal = init.signal ? AbortSignal.any([init.signal, ending]) : ending;
    return fetchConfigured(url, { ...init, signal }, { clock, timeoutMs, maxBytes: MAX_ANSWER_BYTES });
  };
}

/** What the libraries wait, in seconds: longer than our own limit, which is the one that counts. */
export const libraryTimeoutSeconds = (timeoutMs: number): number => Math.ceil(timeoutMs / 1000) + 5;
