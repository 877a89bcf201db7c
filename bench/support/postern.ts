import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bun, projectRoot, runStep } from '../../scripts/step.ts';
import { freePort } from '../../test/support/free-port.ts';
import { APP_HOSTS, APPLIANCE_ORIGIN } from './seed.ts';
import { type BenchServer, startServer } from './servers.ts';

export const POSTERN_BINARY = join(projectRoot, 'dist', 'postern');

export interface BenchPostern extends BenchServer {
  /** The origin of `/metrics`. */
  metricsOrigin: string;
}

/** Compiles the file that is measured, as it is shipped. @throws when that fails. */
export async function buildPostern(): Promise<void> {
  const built = await runStep({ title: 'building dist/postern', command: [bun, 'build.ts'], quiet: true });
  if (!built) throw new Error('dist/postern could not be built');
}

/**
 * Starts the compiled file on a data directory, as somebody runs it behind a proxy on the same machine; `env` is laid over
 * the configuration.
 */
export async function startPostern(
  dataDir: string,
  more = '',
  env: Record<string, string> = {},
): Promise<BenchPostern> {
  const { command, cwd, origin, metricsOrigin } = posternCommand(dataDir, more);
  const server = await startServer({ command, cwd, env, origin, readyPath: '/healthz' });
  return { ...server, metricsOrigin };
}

/** What starts it, with a configuration beside the data directory; `more` stands at its end. */
export function posternCommand(dataDir: string, more = '') {
  const [port, metricsPort] = [freePort(), freePort()];
  const cwd = join(dataDir, '..');
  mkdirSync(cwd, { recursive: true });
  const file = `${dataDir}.toml`;
  writeFileSync(file, `${configuration(dataDir, port, metricsPort)}\n${more}`);
  return {
    command: [POSTERN_BINARY, 'serve', '--config', file],
    cwd,
    origin: `http://127.0.0.1:${port}`,
    metricsOrigin: `http://127.0.0.1:${metricsPort}`,
  };
}

function configuration(dataDir: string, port: number, metricsPort: number): string {
  const rules = APP_HOSTS.map((host) => `[[forward_auth.rule]]\nhost = "${host}"\nallow = "everyone"\n`);
  return `
url = "${APPLIANCE_ORIGIN}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
data_dir = "${dataDir}"
trusted_proxies = ["127.0.0.0/8"]
${rules.join('\n')}`;
}
