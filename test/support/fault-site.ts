import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, binary } from './appliance.ts';
import { deviceService } from './device-service.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { freePort } from './free-port.ts';
import { loopbackSite } from './loopback-site.ts';
import { type Running, startProgram } from './program.ts';

/** Timers of both sides, in milliseconds: what takes minutes in a home takes moments here. */
const TIMING = {
  heartbeatInterval: 250,
  heartbeatTimeout: 750,
  connectTimeout: 1_000,
  backoffMin: 20,
  backoffMax: 400,
} as const;

/**
 * What `docs/devices.md` states: after the line is whole again, a dead tunnel is noticed within interval and timeout of the
 * heartbeat; a dial that had begun may take its time; then there is a wait, and a dial.
 */
export const BACK_WITHIN_MS =
  TIMING.heartbeatInterval + TIMING.heartbeatTimeout + TIMING.connectTimeout + TIMING.backoffMax;

export interface FaultSite extends AsyncDisposable {
  readonly appliance: Appliance;
  readonly agent: Running;
  readonly proxy: FaultProxy;
  readonly service: ReturnType<typeof deviceService>;
  /** A request to the web app on the device, as a program makes it. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Where WebSockets of that app are. */
  readonly socketUrl: string;
  readonly token: string;
  /** What the API tells of the tunnel. */
  streams(): Promise<number | undefined>;
}

/** The compiled appliance and the compiled agent, with a line between them that fails when told to. */
export async function faultSite(lastsMs: readonly [number, number]): Promise<FaultSite> {
  await using starting = new AsyncDisposableStack();
  const port = freePort();
  const proxy = starting.use(await startFaultProxy(port, lastsMs));
  const toml = `
[devices]
relay_url = "http://127.0.0.1:${proxy.port}"
heartbeat_interval = "${TIMING.heartbeatInterval}ms"
heartbeat_timeout = "${TIMING.heartbeatTimeout * 2}ms"
`;
  const site = starting.use(await loopbackSite({ port, toml: () => toml }));
  const service = starting.use(deviceService());
  const { directory } = site.appliance;
  const call = (path: string, json?: unknown) =>
    site.owner.fetch(site.url(path), {
      method: 'POST',
      headers: { origin: site.origin, 'content-type': 'application/json' },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });
  const run = (...args: string[]) =>
    startProgram([binary(), 'agent', ...args], directory, { PATH: process.env['PATH'] ?? '' });

  const { link } = (await (await call('/api/v1/pairings')).json()) as { link: string };
  const target = `web=http://127.0.0.1:${service.port}`;
  const joined = await run('--join', link, '--name', 'Shaky', '--service', target).finished;
  if (joined.exitCode !== 0) throw new Error(`the agent did not join: ${joined.err}`);
  writeFileSync(join(directory, 'postern-agent', 'agent.toml'), agentToml(service.port));
  const made = await call('/api/v1/tokens', {
    label: 'faults',
    expires_in: 3_600,
    scopes: ['devices:read'],
    reach: [{ device: 'shaky', service: 'web' }],
  });
  const { secret } = (await made.json()) as { secret: string };
  const agent = starting.use(run());
  await agent.printed('connected');
  const running = starting.move();
  const headers = { authorization: `Bearer ${secret}` };
  return {
    appliance: site.appliance,
    agent,
    proxy,
    service,
    token: secret,
    socketUrl: `ws://127.0.0.1:${port}/d/shaky/web/socket`,
    fetch: (path, init = {}) => fetch(site.url(`/d/shaky/web${path}`), { ...init, headers }),
    async streams() {
      const response = await fetch(site.url('/api/v1/devices/shaky/tunnel'), { headers });
      if (!response.ok) return undefined;
      const { streams } = (await response.json()) as { streams: unknown[] };
      return streams.length;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function agentToml(port: number): string {
  return `[services]
web = "http://127.0.0.1:${port}"

[tunnel]
heartbeat_interval = "${TIMING.heartbeatInterval}ms"
heartbeat_timeout = "${TIMING.heartbeatTimeout}ms"
connect_timeout = "${TIMING.connectTimeout}ms"
backoff_min = "${TIMING.backoffMin}ms"
backoff_max = "${TIMING.backoffMax}ms"
stable_after = "1s"
`;
}
