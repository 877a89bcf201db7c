import { dialTunnel, type Tunnel } from '../../src/agent/dial.ts';
import type { ServiceTarget } from '../../src/agent/model.ts';
import { streamServer } from '../../src/agent/serve.ts';
import { TUNNEL_PATH } from '../../src/devices/routes-tunnel.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { signRequest } from '../../src/signatures/sign-request.ts';
import { DEFAULT_MUX_LIMITS, type MuxLimits, type TunnelStream } from '../../src/tunnel/model.ts';
import { DEFAULT_LIMITS } from './agent-stream.ts';
import type { TemporaryApi } from './api.ts';
import { TEST_ORIGIN } from './ledger.ts';
import type { TestDevice } from './pairing.ts';
import { recordedLog } from './silent-log.ts';
import { until } from './until.ts';

export interface TunnelAgentOptions {
  services?: Readonly<Record<string, ServiceTarget>>;
  /** What takes streams instead of the services. */
  onStream?: (stream: TunnelStream) => void;
  limits?: Partial<MuxLimits>;
  /** What the handshake says besides. */
  headers?: Readonly<Record<string, string>>;
  /** The origin whose host it dials. */
  origin?: string;
  clock?: Clock;
}

/** The fields of a handshake that the device signs. */
export function tunnelHeaders(
  { base }: TemporaryApi,
  { key, sessionId }: Pick<TestDevice, 'key' | 'sessionId'>,
  origin = TEST_ORIGIN,
): Record<string, string> {
  const url = new URL(TUNNEL_PATH, origin);
  const signed = signRequest({ method: 'GET', url }, { key, sessionId, now: base.clock.now() });
  return { host: url.host, ...signed };
}

export interface TunnelAgent extends AsyncDisposable {
  readonly tunnel: Tunnel;
}

/** Dials the real endpoint as a device, and serves the real way. @throws DialError when the tunnel is refused. */
export async function dialAgent(
  api: TemporaryApi,
  device: TestDevice,
  {
    services = {},
    onStream,
    limits = {},
    headers = {},
    origin,
    clock = systemClock,
  }: TunnelAgentOptions = {},
): Promise<TunnelAgent> {
  const server = streamServer({
    services: new Map(Object.entries(services)),
    limits: DEFAULT_LIMITS,
    clock,
    log: recordedLog(),
  });
  const tunnel = await dialTunnel({
    url: `ws://127.0.0.1:${api.port}${TUNNEL_PATH}`,
    headers: { ...tunnelHeaders(api, device, origin), ...headers },
    ca: undefined,
    clock,
    timeoutMs: 5_000,
    limits: { ...DEFAULT_MUX_LIMITS, opensPerSecond: 100_000, ...limits },
    signal: new AbortController().signal,
    onStream: onStream ?? ((stream) => server.accept(stream)),
  });
  return {
    tunnel,
    async [Symbol.asyncDispose]() {
      tunnel.mux.end(1000, 'done');
      await tunnel.ended;
      server[Symbol.dispose]();
    },
  };
}

/** Waits until the hub has a tunnel of the device that is, or is not, there. */
export const connected = ({ hub }: TemporaryApi, { id }: Pick<TestDevice, 'id'>, isThere = true) =>
  until(
    isThere ? 'the device connects' : 'the device leaves',
    () => (hub.find(id) !== undefined) === isThere,
  );
