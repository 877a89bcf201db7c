import type { DevicesConfig } from '../config/schema.ts';
import { DEFAULT_MUX_LIMITS, type MuxLimits } from '../tunnel/model.ts';
import { type HubDeps, openHub } from './hub.ts';

/** The hub with the bounds of the configuration. */
export function openDeviceHub({
  config,
  ...deps
}: Omit<HubDeps, 'limits' | 'timing' | 'socketsPerSession'> & { config: DevicesConfig }) {
  return openHub({
    ...deps,
    limits: muxLimits(config),
    socketsPerSession: config.web_sockets_per_session,
    timing: {
      heartbeatIntervalMs: config.heartbeat_interval,
      heartbeatTimeoutMs: config.heartbeat_timeout,
      seenIntervalMs: config.seen_interval,
      answerTimeoutMs: config.answer_timeout,
      idleTimeoutMs: config.stream_idle_timeout,
    },
  });
}

/** What one tunnel, or one `postern connect`, may take. */
export function muxLimits(config: DevicesConfig): MuxLimits {
  return {
    ...DEFAULT_MUX_LIMITS,
    streams: config.streams_per_tunnel,
    opensPerSecond: config.opens_per_second,
    maxWindowBytes: config.tunnel_window_bytes,
    memoryBytes: config.tunnel_memory_bytes,
  };
}

/** Rounds of the hub in the time between two heartbeats. */
const ROUNDS_PER_HEARTBEAT = 5;

/** How often the hub looks after its tunnels, in milliseconds. */
export function hubRoundMs({ heartbeat_interval }: DevicesConfig): number {
  return Math.max(1, Math.floor(heartbeat_interval / ROUNDS_PER_HEARTBEAT));
}
