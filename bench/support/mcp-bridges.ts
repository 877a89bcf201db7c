import { join } from 'node:path';
import { projectRoot } from '../../scripts/step.ts';
import { freePort } from '../../test/support/free-port.ts';
import { ECHO_COMMAND } from './mcp-callers.ts';
import { type BenchServer, startServer } from './servers.ts';

const MODULES = join(projectRoot, 'node_modules');

/** supergateway as its guide runs it for clients that keep a session, without a log. */
export function startSupergateway(cwd: string): Promise<BenchServer> {
  const port = freePort();
  const options = ['--outputTransport', 'streamableHttp', '--stateful', '--logLevel', 'none'];
  const where = ['--port', String(port), '--healthEndpoint', '/healthz'];
  const program = join(MODULES, 'supergateway', 'dist', 'index.js');
  const command = ['node', program, '--stdio', ECHO_COMMAND.join(' '), ...options, ...where];
  return startServer({ command, cwd, origin: `http://127.0.0.1:${port}`, readyPath: '/healthz' });
}

/** mcp-proxy as its guide runs it, with HTTP alone. */
export function startMcpProxy(cwd: string): Promise<BenchServer> {
  const port = freePort();
  const where = ['--server', 'stream', '--host', '127.0.0.1', '--port', String(port)];
  const program = join(MODULES, 'mcp-proxy', 'dist', 'bin', 'mcp-proxy.mjs');
  const command = ['node', program, ...where, '--', ...ECHO_COMMAND];
  return startServer({ command, cwd, origin: `http://127.0.0.1:${port}`, readyPath: '/ping' });
}
