import type { Metrics } from '../lib/metrics.ts';

export type PairingOutcome = 'created' | 'paired' | 'repeated' | 'refused' | 'conflict' | 'rate_limited';

export type CountPairing = (outcome: PairingOutcome) => void;

const OUTCOMES: readonly PairingOutcome[] = [
  'created',
  'paired',
  'repeated',
  'refused',
  'conflict',
  'rate_limited',
];

export type DeviceCounts = ReturnType<typeof deviceCounts>;

/** What pairing counts. Every series is there from the start, so that a first event is seen as a rise. */
export function deviceCounts(metrics: Metrics, countLive: () => number) {
  metrics.gauge('postern_devices', 'Devices that are paired.', countLive);
  const pairings = new Map(
    OUTCOMES.map((outcome) => [
      outcome,
      metrics.counter('postern_pairings_total', 'What became of pairing codes, by outcome.', { outcome }),
    ]),
  );
  const unpaired = metrics.counter('postern_devices_unpaired_total', 'Devices that were unpaired.');
  const rotated = metrics.counter('postern_device_keys_rotated_total', 'Device keys that were replaced.');
  return {
    pairing: ((outcome) => pairings.get(outcome)?.inc()) satisfies CountPairing,
    unpaired: (devices: number) => unpaired.inc(devices),
    keyRotated: () => rotated.inc(),
  };
}
