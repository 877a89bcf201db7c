import type { Leadership } from '../db/leader.ts';
import type { Seat } from '../db/seats.ts';
import type { Metrics } from '../lib/metrics.ts';

export interface NodeMetricsDeps {
  metrics: Metrics;
  leadership: Pick<Leadership, 'isLeader'>;
  seats: Readonly<Record<string, Pick<Seat, 'isHere'>>>;
}

/** What this process does for all that share its data directory. */
export function observeNode({ metrics, leadership, seats }: NodeMetricsDeps): void {
  const help = 'Whether this process does what one of all does: deleting what ran out, and the like.';
  metrics.gauge('postern_leader', help, () => Number(leadership.isLeader));
  for (const [role, { isHere }] of Object.entries(seats)) {
    metrics.gauge('postern_role', 'Whether this process has a role.', () => Number(isHere), { role });
  }
}
