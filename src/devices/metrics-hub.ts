import type { Metrics } from '../lib/metrics.ts';
import type { MuxEnd } from '../tunnel/model.ts';
import type { CarriedKind } from './open-stream.ts';

/** What the hub can be asked when it is scraped. */
export interface HubFigures {
  readonly tunnels: number;
  readonly streams: number;
  readonly bufferedBytes: number;
  /** Of all tunnels, those that are over included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const KINDS: readonly CarriedKind[] = ['http', 'websocket', 'tcp'];

const OUTCOMES = ['answered', 'offline', 'busy', 'late', 'refused', 'broken', 'ended', 'abandoned'] as const;

/** How carrying something to a device went. */
export type CarryOutcome = (typeof OUTCOMES)[number];

const ENDS = [
  'lost',
  'silent',
  'remote',
  'replaced',
  'revoked',
  'going_away',
  'local',
  'protocol',
  'flood',
  'internal',
] as const satisfies readonly (MuxEnd['kind'] | 'silent' | 'replaced' | 'revoked' | 'going_away')[];

/** Why a tunnel ended. */
export type TunnelEnd = (typeof ENDS)[number];

export type HubMetrics = ReturnType<typeof hubMetrics>;

export function hubMetrics(metrics: Metrics, figures: () => HubFigures) {
  const gauge = (name: string, help: string, key: keyof HubFigures) =>
    metrics.gauge(name, help, () => figures()[key]);
  gauge('postern_tunnels', 'Devices that are connected.', 'tunnels');
  gauge('postern_tunnel_streams', 'Streams that are open in tunnels.', 'streams');
  gauge(
    'postern_tunnel_buffered_bytes',
    'What waits in tunnels for slow readers and writers.',
    'bufferedBytes',
  );
  const bytes = (direction: string, key: 'bytesIn' | 'bytesOut') =>
    metrics.derivedCounter(
      'postern_tunnel_bytes_total',
      'Bytes that streams carried, from devices and to them.',
      () => figures()[key],
      { direction },
    );
  bytes('from_device', 'bytesIn');
  bytes('to_device', 'bytesOut');

  const opened = metrics.counter('postern_tunnels_opened_total', 'Tunnels that devices opened.');
  const cloned = metrics.counter(
    'postern_device_clones_total',
    'Times that a device changed places with another that has its key, again and again.',
  );
  const carried = new Map(KINDS.map((kind) => [kind, carriedCounters(metrics, kind)]));
  const ended = new Map(
    ENDS.map((reason) => [
      reason,
      metrics.counter('postern_tunnels_closed_total', 'Tunnels that ended, by reason.', { reason }),
    ]),
  );

  return {
    opened: () => opened.inc(),
    cloned: () => cloned.inc(),
    ended: (reason: TunnelEnd) => ended.get(reason)?.inc(),
    carried: (kind: CarriedKind, outcome: CarryOutcome) => carried.get(kind)?.get(outcome)?.inc(),
  };
}

/** Every series is there from the start, so that a first one is seen as a rise. */
function carriedCounters(metrics: Metrics, kind: CarriedKind) {
  const counter = (outcome: CarryOutcome) =>
    metrics.counter('postern_device_streams_total', 'What was carried to devices, by kind and outcome.', {
      kind,
      outcome,
    });
  return new Map(OUTCOMES.map((outcome) => [outcome, counter(outcome)]));
}
