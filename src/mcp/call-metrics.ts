import type { Histogram, Metrics } from '../lib/metrics.ts';
import { LATENCY_BUCKETS } from '../lib/metrics.ts';

export type CallOutcome = 'success' | 'error' | 'refused' | 'cancelled' | 'unavailable';
const OUTCOMES: readonly CallOutcome[] = ['success', 'error', 'refused', 'cancelled', 'unavailable'];

/** What one backend's calls are counted by. */
export interface CallMeter {
  count(outcome: CallOutcome): void;
  readonly seconds: Pick<Histogram, 'observe'>;
}

/** One meter per backend; their series are there from the start. */
export function callMeters(metrics: Metrics): (backend: string) => CallMeter {
  const meters = new Map<string, CallMeter>();
  return (backend) => {
    const known = meters.get(backend);
    if (known !== undefined) return known;
    const counters = new Map(
      OUTCOMES.map((outcome) => [
        outcome,
        metrics.counter('postern_mcp_calls_total', 'Calls of MCP clients, by how they ended.', {
          backend,
          outcome,
        }),
      ]),
    );
    const seconds = metrics.histogram(
      'postern_mcp_call_seconds',
      'How long calls of MCP clients took, waiting for their answers to questions included.',
      LATENCY_BUCKETS,
      { backend },
    );
    const meter: CallMeter = { count: (outcome) => counters.get(outcome)?.inc(), seconds };
    meters.set(backend, meter);
    return meter;
  };
}
