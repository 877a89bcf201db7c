import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { POSTERN_BINARY } from './postern.ts';
import { type SeededTunnels, seedTunnels } from './seed-tunnels.ts';
import { type BenchServer, startServer } from './servers.ts';

/** The appliance on loopback, and the agent of one device behind which a service is. */
export interface TunnelSite extends AsyncDisposable {
  readonly appliance: BenchServer;
  readonly agent: BenchServer;
  readonly seeded: SeededTunnels;
  /** Sends a personal token that reaches the service. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Starts the compiled file as both sides, with the service at `target` and so many devices besides that nobody serves. */
export async function startTunnelSite(options: {
  directory: string;
  target: string;
  idle: number;
  /** What is started instead of the compiled file. */
  program?: readonly string[];
}): Promise<TunnelSite> {
  const { directory, target, idle, program = [POSTERN_BINARY] } = options;
  const [port, metricsPort] = [freePort(), freePort()];
  const url = `http://127.0.0.1:${port}`;
  const [dataDir, agentDirectory] = [join(directory, 'data'), join(directory, 'agent')];
  const seeded = await seedTunnels({ url, dataDir, agentDirectory, target, idle });
  const file = join(directory, 'postern.toml');
  writeFileSync(
    file,
    `url = "${url}"\nlisten = "127.0.0.1:${port}"\nmetrics_listen = "127.0.0.1:${metricsPort}"\ndata_dir = "${dataDir}"\n` +
      `[log]\nlevel = "warn"\n[devices]\nper_user = ${idle + 1}\n`,
  );
  await using starting = new AsyncDisposableStack();
  const start = (args: readonly string[], readyPath: string, headers = {}) =>
    startServer({ command: [...program, ...args], cwd: directory, origin: url, readyPath, headers });
  const appliance = starting.use(await start(['serve', '--config', file], '/healthz'));
  const headers = { authorization: `Bearer ${seeded.bearer}` };
  const agent = starting.use(
    await start(['agent', '--dir', agentDirectory], `${seeded.path}/small`, headers),
  );
  const started = starting.move();
  return { appliance, agent, seeded, headers, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
