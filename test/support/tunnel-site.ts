import type { ServiceTarget } from '../../src/agent/model.ts';
import type { SessionToken } from '../../src/sessions/model.ts';
import { type SignedIn, type TemporaryApi, type TemporaryApiOptions, temporaryApi } from './api.ts';
import { deviceService } from './device-service.ts';
import { TEST_DEVICES_BASE } from './devices.ts';
import { TEST_ORIGIN } from './ledger.ts';
import { ManualClock } from './manual-clock.ts';
import { pairDevice, type TestDevice } from './pairing.ts';
import { connected, dialAgent, type TunnelAgent, type TunnelAgentOptions } from './tunnel-agent.ts';

const HOST = new URL(TEST_ORIGIN).host;

export interface VisitInit extends Omit<RequestInit, 'headers'> {
  headers?: Readonly<Record<string, string>>;
}

export interface TunnelSite extends AsyncDisposable {
  api: TemporaryApi;
  /** Of the appliance alone: devices go by the real one. */
  clock: ManualClock;
  owner: SignedIn;
  device: TestDevice;
  /** Reaches `web`, `ssh` and `gone` of the device, and may look at devices and change them. */
  token: SessionToken;
  service: ReturnType<typeof deviceService>;
  /** The device dials, and offers `web`, besides what is asked for. */
  dial(options?: TunnelAgentOptions): Promise<TunnelAgent>;
  /** A request to `/d/<device>/web<path>`. */
  go(path: string, init?: VisitInit): Promise<Response>;
  /** Headers of a request at the device's own host, by token. */
  hostHeaders(service?: string): Record<string, string>;
  /** Where a WebSocket to the device is opened, with what. */
  socket(path: string, protocols?: string[]): WebSocket;
  url(path: string): string;
}

/** An appliance with a paired device, and a web app that stands on that. */
export async function tunnelSite(
  services: Readonly<Record<string, ServiceTarget>> = {},
  options: TemporaryApiOptions = {},
): Promise<TunnelSite> {
  const clock = new ManualClock();
  const api = temporaryApi({ ...options, clock });
  const owner = await api.signIn();
  const device = await pairDevice(api, owner);
  const { token } = await api.makeToken(owner, {
    scopes: ['devices:read', 'devices:write'],
    reach: ['web', 'ssh', 'gone'].map((service) => ({ device: device.id, service })),
  });
  const service = deviceService();
  const authorization = `Bearer ${token}`;
  const path = (rest: string) => `127.0.0.1:${api.port}/d/${device.handle}/web${rest}`;

  return {
    api,
    clock,
    owner,
    device,
    token,
    service,
    async dial({ services: more, ...dialling } = {}) {
      const all = { web: service.target, ...services, ...more };
      const agent = await dialAgent(api, device, { services: all, ...dialling });
      await connected(api, device);
      return agent;
    },
    go: (rest, init = {}) =>
      fetch(`http://${path(rest)}`, {
        redirect: 'manual',
        ...init,
        headers: { host: HOST, authorization, ...init.headers },
      }),
    hostHeaders: (named = 'web') => ({
      host: `${named}--${device.handle}.${TEST_DEVICES_BASE}`,
      authorization,
    }),
    socket(rest, protocols = []) {
      const socket = new WebSocket(`ws://${path(rest)}`, {
        headers: { host: HOST, authorization },
        protocols,
      });
      socket.binaryType = 'arraybuffer';
      return socket;
    },
    url: (rest) => `http://127.0.0.1:${api.port}${rest}`,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
    },
  };
}
