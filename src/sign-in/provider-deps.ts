import type { Config, ProviderConfig } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { fetchConfigured } from '../lib/safe-fetch.ts';

/** What it takes to talk to a provider. */
export interface ConnectionDeps {
  config: Pick<
    ProviderConfig,
    'name' | 'issuer' | 'client_id' | 'client_secret' | 'token_endpoint_auth_method'
  >;
  timing: Pick<
    Config['sign_in'],
    'discovery_timeout' | 'discovery_retry' | 'metadata_refresh' | 'provider_timeout'
  >;
  clock: Clock;
  log: Logger;
  /** Aborts when the appliance shuts down: nobody waits for a provider then. */
  ending: AbortSignal;
}

/** What it takes to sign people in there. */
export interface ProviderDeps extends ConnectionDeps {
  config: ProviderConfig;
  /** `/callback/<name>` on our origin. */
  redirectUri: string;
  /** Where a browser comes back to once it has signed out there. */
  postLogoutRedirectUri: string;
  /** Whether tokens of this provider are given to MCP backends: more is asked for at sign-in then. */
  givesTokens: boolean;
}

/** Longest answer of a provider, in bytes: metadata, keys, tokens and claims are all far smaller. */
const MAX_ANSWER_BYTES = 1_048_576;

/** `fetch` as openid-client and jose want it, within our limits. */
export type ProviderFetch = (url: string, init: RequestInit) => Promise<Response>;

export function providerFetch(
  { clock, ending }: Pick<ConnectionDeps, 'clock' | 'ending'>,
  timeoutMs: number,
): ProviderFetch {
  return (url, init) => {
    const signal = init.signal ? AbortSignal.any([init.signal, ending]) : ending;
    return fetchConfigured(url, { ...init, signal }, { clock, timeoutMs, maxBytes: MAX_ANSWER_BYTES });
  };
}

/** What the libraries wait, in seconds: longer than our own limit, which is the one that counts. */
export const libraryTimeoutSeconds = (timeoutMs: number): number => Math.ceil(timeoutMs / 1000) + 5;
