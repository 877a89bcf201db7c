import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { binary } from './appliance.ts';
import type { Browser } from './browser.ts';
import { type DeviceApp, startDeviceApp } from './device-app.ts';
import { type LoopbackSite, loopbackSite } from './loopback-site.ts';
import { startProgram } from './program.ts';

/** A device that is paired and connected. */
export interface SiteDevice {
  readonly handle: string;
  readonly app: DeviceApp;
  /** Where its service `web` is. */
  readonly origin: string;
  /** Ends its agent; what the agent keeps goes with it. */
  stop(): Promise<void>;
}

export interface DeviceSite extends AsyncDisposable {
  readonly site: LoopbackSite;
  /** Pairs a device of somebody, and runs its agent with the services `web` and `other`, which are one app. */
  addDevice(handle: string, owner?: Browser): Promise<SiteDevice>;
  /** A request of somebody's browser to the API. */
  call(browser: Browser, method: string, path: string, json?: unknown): Promise<Response>;
}

/** The compiled appliance on loopback, with devices whose agents are the compiled program too. */
export async function deviceSite(toml = ''): Promise<DeviceSite> {
  await using starting = new AsyncDisposableStack();
  const site = starting.use(await loopbackSite({ toml: () => toml }));
  const { directory, port } = site.appliance;
  const environment = { PATH: process.env['PATH'] ?? '' };

  const call: DeviceSite['call'] = (browser, method, path, json) =>
    browser.fetch(site.url(path), {
      method,
      headers: { origin: site.origin, 'content-type': 'application/json' },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });

  const running = starting.move();
  return {
    site,
    call,
    async addDevice(handle, owner = site.owner) {
      const made = (await (await call(owner, 'POST', '/api/v1/pairings')).json()) as { link: string };
      const state = `agent-${handle}`;
      const agent = (...args: string[]) =>
        running.use(startProgram([binary(), 'agent', '--dir', state, ...args], directory, environment));
      const { exitCode, err } = await agent('--join', made.link, '--name', handle).finished;
      if (exitCode !== 0) throw new Error(`the agent did not join: ${err}`);
      const app = running.use(startDeviceApp(handle));
      const serving = agent('--service', `web=${app.url}`, '--service', `other=${app.url}`);
      await serving.printed('connected');
      return {
        handle,
        app,
        origin: `http://web--${handle}.devices.localhost:${port}`,
        async stop() {
          await serving[Symbol.asyncDispose]();
          rmSync(join(directory, state), { recursive: true });
        },
      };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
