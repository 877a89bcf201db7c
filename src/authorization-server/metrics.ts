import type { Metrics } from '../lib/metrics.ts';
import type { FetchFailure } from '../lib/safe-fetch.ts';

export type CountDocument = (outcome: 'success' | 'invalid' | FetchFailure) => void;
export type CountAuthorization = (outcome: 'granted' | 'denied' | 'refused') => void;
export type CountRegistration = (outcome: 'new' | 'known' | 'refused' | 'rate_limited') => void;
export type TokenOutcome = 'success' | 'repeated' | 'reused' | 'refused';

export type OauthCounts = ReturnType<typeof oauthCounts>;

/** What the authorization server counts. Series of the hot path are made once. */
export function oauthCounts(metrics: Metrics) {
  const total = (name: string, help: string, labels: Readonly<Record<string, string>>) =>
    metrics.counter(name, help, labels);
  const tokenCounter = (grant_type: string, outcome: TokenOutcome) =>
    total('postern_oauth_tokens_total', 'Answers of the token endpoint, by grant type and outcome.', {
      grant_type,
      outcome,
    });
  const refreshed = tokenCounter('refresh_token', 'success');
  const document: CountDocument = (outcome) =>
    total('postern_oauth_client_documents_total', 'Client id metadata documents fetched, by outcome.', {
      outcome,
    }).inc();
  const authorization: CountAuthorization = (outcome) =>
    total('postern_oauth_authorizations_total', 'Authorization requests answered, by outcome.', {
      outcome,
    }).inc();
  const registration: CountRegistration = (outcome) =>
    total('postern_oauth_registrations_total', 'Clients that registered themselves, by outcome.', {
      outcome,
    }).inc();
  return {
    refreshed: () => refreshed.inc(),
    token: (grantType: 'authorization_code' | 'refresh_token', outcome: TokenOutcome) =>
      tokenCounter(grantType, outcome).inc(),
    document,
    authorization,
    registration,
  };
}
