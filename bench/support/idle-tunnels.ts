import { dialTunnel, type Tunnel } from '../../src/agent/dial.ts';
import { TUNNEL_PATH } from '../../src/devices/routes-tunnel.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { signRequest } from '../../src/signatures/sign-request.ts';
import { DEFAULT_MUX_LIMITS } from '../../src/tunnel/model.ts';
import type { IdleDevice } from './seed-tunnels.ts';

/** A tunnel that nobody uses, and when it ended, in milliseconds of `performance.now`. */
export interface OpenTunnel {
  readonly device: IdleDevice;
  readonly closed: Promise<{ at: number; code: number }>;
}

const DIALS_AT_ONCE = 64;
const DIAL_TIMEOUT_MS = 20_000;

/** Dials the tunnels of all devices, and answers once all stand. @throws when one is refused. */
export async function openTunnels(
  origin: string,
  devices: readonly IdleDevice[],
  signal: AbortSignal,
): Promise<OpenTunnel[]> {
  const url = new URL(TUNNEL_PATH, origin);
  const waiting = [...devices];
  const open: OpenTunnel[] = [];
  const dialer = async () => {
    for (let device = waiting.shift(); device !== undefined; device = waiting.shift()) {
      open.push({ device, closed: closing(await dial(url, device, signal)) });
    }
  };
  await Promise.all(Array.from({ length: DIALS_AT_ONCE }, dialer));
  return open;
}

function dial(url: URL, { key, sessionId }: IdleDevice, signal: AbortSignal): Promise<Tunnel> {
  return dialTunnel({
    url: url.href.replace(/^http/, 'ws'),
    headers: signRequest({ method: 'GET', url }, { key, sessionId, now: Date.now() }),
    ca: undefined,
    clock: systemClock,
    timeoutMs: DIAL_TIMEOUT_MS,
    limits: DEFAULT_MUX_LIMITS,
    signal,
    onStream: (stream) => stream.reset(),
  });
}

async function closing({ ended }: Tunnel): Promise<{ at: number; code: number }> {
  const { code } = await ended;
  return { at: performance.now(), code };
}
