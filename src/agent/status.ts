import type { Clock } from '../lib/clock.ts';
import { instantText } from '../lib/instant.ts';

/** What the agent is doing. */
export type AgentPhase = 'unpaired' | 'revoked' | 'connecting' | 'connected' | 'waiting' | 'ending';

/** What `postern agent status` shows, and what it prints as JSON. Instants are RFC 3339, durations in milliseconds. */
export interface AgentStatus {
  readonly phase: AgentPhase;
  readonly since: string;
  readonly server: string | null;
  readonly device: string | null;
  readonly handle: string | null;
  /** Dials since the agent started. */
  readonly dials: number;
  /** Tunnels that stood since then. */
  readonly connections: number;
  readonly round_trip_ms: number | null;
  /** Why the last dial or tunnel came to nothing. */
  readonly last_failure: string | null;
  /** When the next dial is due. */
  readonly next_dial_at: string | null;
  /** How far this machine's clock is behind the server's. */
  readonly clock_behind_ms: number;
  readonly streams: number;
  readonly buffered_bytes: number;
}

/** What is known of the tunnel at any moment. */
export interface AgentRecord {
  phase: AgentPhase;
  sinceAt: number;
  dials: number;
  connections: number;
  roundTripMs: number | undefined;
  lastFailure: string | undefined;
  nextDialAt: number | undefined;
}

export function newRecord(clock: Pick<Clock, 'now'>): AgentRecord {
  return {
    phase: 'unpaired',
    sinceAt: clock.now(),
    dials: 0,
    connections: 0,
    roundTripMs: undefined,
    lastFailure: undefined,
    nextDialAt: undefined,
  };
}

/** What is told of a record, apart from the pairing and the streams. */
export function statusOf(record: AgentRecord) {
  return {
    phase: record.phase,
    since: instantText(record.sinceAt),
    dials: record.dials,
    connections: record.connections,
    round_trip_ms: record.roundTripMs === undefined ? null : Math.round(record.roundTripMs * 100) / 100,
    last_failure: record.lastFailure ?? null,
    next_dial_at: record.nextDialAt === undefined ? null : instantText(record.nextDialAt),
  };
}
