import type { RefusalReason } from '../forward-auth/model.ts';
import type { Metrics } from '../lib/metrics.ts';

const NAME = 'postern_device_visits_total';
const HELP = 'Requests to hosts of devices, by outcome.';

export type ReachOutcomes = ReturnType<typeof reachOutcomes>;

/** Counts what requests to hosts of devices came to; the counters of the usual outcomes are made ahead. */
export function reachOutcomes(metrics: Metrics) {
  const counter = (outcome: string) => metrics.counter(NAME, HELP, { outcome });
  const allowed = counter('allowed');
  const anonymous = counter('anonymous');
  return {
    allowed: () => allowed.inc(),
    anonymous: () => anonymous.inc(),
    refused: (reason: RefusalReason) => counter(reason).inc(),
  };
}
