import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import type { OpenStream } from './open-stream.ts';
import type { TunnelConnection } from './tunnel-connection.ts';

const bytes = z.int().nonnegative();

const streamDto = z
  .strictObject({
    id: z.int().positive(),
    kind: z.enum(['http', 'websocket', 'tcp']),
    service: z.string(),
    user_id: z.string().nullable().describe('who visits; null for guests'),
    opened_at: z.iso.datetime(),
    bytes_to_device: bytes,
    bytes_from_device: bytes,
    send_window: bytes.describe(
      'what may still be sent to the device before it has read something, in bytes',
    ),
    receive_window: bytes.describe('what the device may still send, in bytes'),
    queued_bytes: bytes.describe('what waits here for a slow reader or writer'),
  })
  .meta({ id: 'TunnelStream' });

export const tunnelDto = z
  .strictObject({
    connected_at: z.iso.datetime(),
    last_heard_at: z.iso.datetime(),
    generation: z.int().positive().describe('the newest connection of a device has the highest number'),
    address: z.string(),
    agent: z.string().nullable().describe('what the agent calls itself'),
    round_trip_ms: z.number().nullable().describe('to the device and back, when it was last measured'),
    buffered_bytes: bytes.describe('what waits in memory for slow readers and writers of all streams'),
    streams: z.array(streamDto),
  })
  .meta({ id: 'Tunnel' });

/** A stream's number, as a part of a path. */
export const streamParam = z
  .string()
  .regex(/^[1-9][0-9]{0,9}$/)
  .transform(Number);

export function toTunnelDto(tunnel: TunnelConnection): z.input<typeof tunnelDto> {
  const { peer, roundTripMs } = tunnel;
  return {
    connected_at: instantText(tunnel.connectedAt),
    last_heard_at: instantText(tunnel.lastHeardAt),
    generation: tunnel.generation,
    address: peer.address,
    agent: peer.userAgent ?? null,
    round_trip_ms: roundTripMs === undefined ? null : Math.round(roundTripMs * 1_000) / 1_000,
    buffered_bytes: tunnel.bufferedBytes,
    streams: tunnel.streams.map(toStreamDto),
  };
}

function toStreamDto({ stream, carried }: OpenStream): z.input<typeof streamDto> {
  const { bytesIn, bytesOut, sendWindow, receiveWindow, queuedBytes } = stream.stats;
  return {
    id: stream.id,
    kind: carried.kind,
    service: carried.service,
    user_id: carried.userId ?? null,
    opened_at: instantText(stream.openedAt),
    bytes_to_device: bytesOut,
    bytes_from_device: bytesIn,
    send_window: sendWindow,
    receive_window: receiveWindow,
    queued_bytes: queuedBytes,
  };
}
