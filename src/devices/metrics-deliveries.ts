import type { Metrics } from '../lib/metrics.ts';
import type { DeliveryOutcome } from './store-deliveries.ts';

/** What becomes of deliveries. Every series is there from the start, so that a first event is seen as a rise. */
export function deliveryCounts(metrics: Metrics, countWaiting: () => number) {
  metrics.gauge('postern_deliveries_waiting', 'Deliveries that wait for their devices.', countWaiting);
  const counter = (event: 'queued' | 'cancelled' | DeliveryOutcome) =>
    metrics.counter('postern_deliveries_total', 'Deliveries, by what happened to them.', { event });
  const [queued, cancelled] = [counter('queued'), counter('cancelled')];
  const received = { done: counter('done'), failed: counter('failed') };
  return {
    queued: () => queued.inc(),
    cancelled: (deliveries: number) => cancelled.inc(deliveries),
    received: (outcome: DeliveryOutcome) => received[outcome].inc(),
  };
}
