import type { Metrics } from '../lib/metrics.ts';
import type { SignatureRefusal } from '../signatures/verify-request.ts';

/** What becomes of requests that devices sign. */
export type SignatureOutcome =
  | 'accepted'
  | SignatureRefusal
  | 'authority'
  | 'unknown_device'
  | 'replayed'
  | 'digest_mismatch';

export type SignatureMetrics = ReturnType<typeof signatureMetrics>;

export function signatureMetrics(metrics: Metrics) {
  const counter = (outcome: SignatureOutcome) =>
    metrics.counter(
      'postern_device_signatures_total',
      'Requests that devices signed, by what became of them.',
      {
        outcome,
      },
    );
  const accepted = counter('accepted');
  return {
    accepted: () => accepted.inc(),
    refused: (outcome: SignatureOutcome) => counter(outcome).inc(),
  };
}
