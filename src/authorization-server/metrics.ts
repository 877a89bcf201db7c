import type { Metrics } from '../lib/metrics.ts';
import type { FetchFailure } from '../lib/safe-fetch.ts';

export type CountDocument = (outcome: 'success' | 'invalid' | FetchFailure) => void;
export type CountAuthorization = (outcome: 'granted' | 'denied' | 'refused') => void;
export type CountRegistration = (outcome: 'new' | 'known' | 'refused' | 'rate_limited') => void;
export type TokenOutcome = 'success' | 'repeated' | 'reused' | 'refused' | 'pending' | 'slow_down';
export type CountDeviceRequest = (outcome: 'begun' | 'refused' | 'rate_limited') => void;

export type OauthCounts = ReturnType<typeof oauthCounts>;

const TOKEN_OUTCOMES = ['success', 'repeated', 'reused', 'refused'] as const;
const DEVICE_CODE_OUTCOMES = ['success', 'pending', 'slow_down', 'reused', 'refused'];
const DOCUMENT_OUTCOMES = [
  'success',
  'invalid',
  'timeout',
  'unreachable',
  'ended',
  'too_large',
  'not_public',
] as const;

/** What the authorization server counts. Every series is there from the start, so that a first event is seen as a rise. */
export function oauthCounts(metrics: Metrics) {
  const family = (
    name: string,
    help: string,
    outcomes: readonly string[],
    labels: Readonly<Record<string, string>> = {},
  ) => {
    const series = new Map(
      outcomes.map((outcome) => [outcome, metrics.counter(name, help, { ...labels, outcome })]),
    );
    return (outcome: string) => series.get(outcome)?.inc();
  };
  const tokens = (grant_type: string, outcomes: readonly string[] = TOKEN_OUTCOMES) =>
    family(
      'postern_oauth_tokens_total',
      'Answers of the token endpoint, by grant type and outcome.',
      outcomes,
      { grant_type },
    );
  const byGrantType = {
    authorization_code: tokens('authorization_code'),
    refresh_token: tokens('refresh_token'),
    device_code: tokens('device_code', DEVICE_CODE_OUTCOMES),
  };
  const document: CountDocument = family(
    'postern_oauth_client_documents_total',
    'Client id metadata documents fetched, by outcome.',
    DOCUMENT_OUTCOMES,
  );
  const authorization: CountAuthorization = family(
    'postern_oauth_authorizations_total',
    'Authorization requests answered, by outcome.',
    ['granted', 'denied', 'refused'],
  );
  const registration: CountRegistration = family(
    'postern_oauth_registrations_total',
    'Clients that registered themselves, by outcome.',
    ['new', 'known', 'refused', 'rate_limited'],
  );
  const deviceRequest: CountDeviceRequest = family(
    'postern_oauth_device_requests_total',
    'Codes that programs without a browser asked for, by outcome.',
    ['begun', 'refused', 'rate_limited'],
  );
  return {
    token: (grantType: keyof typeof byGrantType, outcome: TokenOutcome) => byGrantType[grantType](outcome),
    document,
    authorization,
    registration,
    deviceRequest,
  };
}
