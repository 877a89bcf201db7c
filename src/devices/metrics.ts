import type { Metrics } from '../lib/metrics.ts';

const PAIRINGS = ['created', 'paired', 'repeated', 'refused', 'conflict', 'rate_limited'] as const;
const JOINS = ['begun', 'rate_limited', 'full', 'approved', 'denied', 'paired', 'repeated'] as const;

export type CountPairing = (outcome: (typeof PAIRINGS)[number]) => void;
export type CountJoin = (outcome: (typeof JOINS)[number]) => void;

export type DeviceCounts = ReturnType<typeof deviceCounts>;

/** What pairing counts. Every series is there from the start, so that a first event is seen as a rise. */
export function deviceCounts(metrics: Metrics, countLive: () => number) {
  metrics.gauge('postern_devices', 'Devices that are paired.', countLive);
  const byOutcome = <Outcome extends string>(name: string, help: string, outcomes: readonly Outcome[]) => {
    const counters = new Map(outcomes.map((outcome) => [outcome, metrics.counter(name, help, { outcome })]));
    return (outcome: Outcome) => counters.get(outcome)?.inc();
  };
  const unpaired = metrics.counter('postern_devices_unpaired_total', 'Devices that were unpaired.');
  const rotated = metrics.counter('postern_device_keys_rotated_total', 'Device keys that were replaced.');
  return {
    pairing: byOutcome(
      'postern_pairings_total',
      'What became of pairing codes, by outcome.',
      PAIRINGS,
    ) satisfies CountPairing,
    join: byOutcome(
      'postern_joins_total',
      'Devices that asked to be let in, by outcome.',
      JOINS,
    ) satisfies CountJoin,
    unpaired: (devices: number) => unpaired.inc(devices),
    keyRotated: () => rotated.inc(),
  };
}
