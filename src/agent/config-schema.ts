import { z } from 'zod';
import { duration } from '../config/duration.ts';
import { count, filePath, text, yesNo } from '../config/values.ts';
import { TARGET_EXPECTED } from './targets.ts';

/** What `agent.toml` may hold. */

const MEBIBYTE = 1_048_576;

const serviceTable = z.strictObject(
  {
    target: text(TARGET_EXPECTED).describe('where the service listens'),
    host: text('a host, like nas.home:5000')
      .optional()
      .describe('what `Host` says to it; by default what the visitor asked for'),
    ca: filePath('a file')
      .optional()
      .describe('certificates that are believed for it besides the system’s, PEM'),
    verify: yesNo().default(true).describe('whether the certificate of an https service has to be right'),
  },
  { error: TARGET_EXPECTED },
);

export const agentConfigSchema = z.strictObject({
  name: text('a name').optional().describe('what the device is called; used when it joins'),
  ca: filePath('a file')
    .optional()
    .describe('certificates that are believed for the server besides the system’s, PEM'),
  labels: z
    .record(text('a label'), text('a text'), { error: 'a table of labels' })
    .default({})
    .describe('labels of the device; used when it joins'),
  // Names are judged where those of the command line are.
  services: z
    .record(z.string(), z.union([text(TARGET_EXPECTED), serviceTable], { error: TARGET_EXPECTED }), {
      error: 'a table of services',
    })
    .default({})
    .describe('the services that can be reached, and where they listen; nothing else can be'),
  tunnel: z
    .strictObject(
      {
        heartbeat_interval: duration('20s', '10m').describe(
          'how often the server is asked whether it is there',
        ),
        heartbeat_timeout: duration('10s', '10m').describe(
          'how long it may take to answer; then the tunnel is dialled anew',
        ),
        connect_timeout: duration('15s', '10m').describe('time a dial may take'),
        backoff_min: duration('500ms', '10m').describe('shortest wait before the next dial'),
        backoff_max: duration('30s', '1d').describe('longest wait before the next dial'),
        stable_after: duration('10s', '1d').describe(
          'a tunnel that lasted this long makes the next wait a short one',
        ),
        drain_timeout: duration('10s', '10m').describe(
          'time for what is running when the agent ends, or the server does',
        ),
      },
      { error: 'a table [tunnel]' },
    )
    .prefault({}),
  limits: z
    .strictObject(
      {
        streams: count(1_024).describe('requests and connections at once'),
        connections_per_service: count(256).describe('connections to one service at once'),
        idle_connections: count(256).describe(
          'connections that are kept open to one service for the next request',
        ),
        idle_timeout: duration('4s', '1h').describe('how long they are kept'),
        connect_timeout: duration('10s', '10m').describe('time a service has to take a connection'),
        head_timeout: duration('2m', '1d').describe(
          'time a service has to begin its answer once nothing of the request arrives',
        ),
        head_bytes: count(65_536, MEBIBYTE).describe('largest head of an answer, in bytes'),
        message_bytes: count(4 * MEBIBYTE, 64 * MEBIBYTE).describe(
          'largest message of a WebSocket, in bytes',
        ),
      },
      { error: 'a table [limits]' },
    )
    .prefault({}),
});

export type AgentFile = z.output<typeof agentConfigSchema>;
export type AgentLimits = AgentFile['limits'];
export type TunnelTiming = AgentFile['tunnel'];
