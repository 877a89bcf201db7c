import type { Metrics } from '../lib/metrics.ts';
import type { RefusalReason } from './model.ts';

const NAME = 'postern_forward_auth_checks_total';
const HELP = 'Checks made by proxies, by outcome.';

/** Counts what checks came to; the counters of the usual outcomes are made ahead. */
export function checkOutcomes(metrics: Metrics) {
  const counter = (outcome: string) => metrics.counter(NAME, HELP, { outcome });
  const allowed = counter('allowed');
  const open = counter('public');
  const anonymous = counter('anonymous');
  return {
    allowed: () => allowed.inc(),
    public: () => open.inc(),
    anonymous: () => anonymous.inc(),
    refused: (reason: RefusalReason) => counter(reason).inc(),
  };
}
