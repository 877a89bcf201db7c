import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { type BenchServer, startServer } from './servers.ts';

/** Another tunnel: how to start both of its sides, with the origin behind it. */
export interface RivalTunnel {
  readonly name: 'chisel' | 'frp';
  start(cwd: string, origin: BenchServer): Promise<BenchServer>;
}

/** Those that are on the PATH. */
export function rivalTunnels(): RivalTunnel[] {
  const [chisel, frps, frpc] = ['chisel', 'frps', 'frpc'].map((name) => Bun.which(name) ?? undefined);
  return [
    ...(chisel === undefined ? [] : [chiselTunnel(chisel)]),
    ...(frps === undefined || frpc === undefined ? [] : [frpTunnel(frps, frpc)]),
  ];
}

/** `chisel` carries connections over SSH in a WebSocket; `R:` asks the server to listen. */
function chiselTunnel(chisel: string): RivalTunnel {
  return {
    name: 'chisel',
    start(cwd, origin) {
      const [port, outside] = [freePort(), freePort()];
      const { host } = new URL(origin.origin);
      return bothSides({
        cwd,
        outside,
        server: [chisel, 'server', '--host', '127.0.0.1', '--port', String(port), '--reverse'],
        client: [chisel, 'client', `http://127.0.0.1:${port}`, `R:127.0.0.1:${outside}:${host}`],
      });
    },
  };
}

/** `frps` and `frpc`, one TCP proxy, as they are by default: yamux over TCP with TLS. */
function frpTunnel(frps: string, frpc: string): RivalTunnel {
  return {
    name: 'frp',
    start(cwd, origin) {
      const [port, outside] = [freePort(), freePort()];
      const [serverFile, clientFile] = [join(cwd, 'frps.toml'), join(cwd, 'frpc.toml')];
      writeFileSync(
        serverFile,
        `bindAddr = "127.0.0.1"\nproxyBindAddr = "127.0.0.1"\nbindPort = ${port}\nlog.level = "error"\n`,
      );
      const proxy = `[[proxies]]\nname = "web"\ntype = "tcp"\nlocalIP = "127.0.0.1"\nlocalPort = ${new URL(origin.origin).port}\nremotePort = ${outside}\n`;
      writeFileSync(
        clientFile,
        `serverAddr = "127.0.0.1"\nserverPort = ${port}\nlog.level = "error"\n${proxy}`,
      );
      return bothSides({ cwd, outside, server: [frps, '-c', serverFile], client: [frpc, '-c', clientFile] });
    },
  };
}

/** The client is tried again by itself until its server is there. */
async function bothSides(options: {
  cwd: string;
  outside: number;
  server: readonly string[];
  client: readonly string[];
}): Promise<BenchServer> {
  const { cwd, outside, server, client } = options;
  const child = Bun.spawn([...server], { cwd, stdio: ['ignore', 'ignore', 'ignore'] });
  const endServer = async () => {
    child.kill('SIGKILL');
    await child.exited;
  };
  try {
    const origin = `http://127.0.0.1:${outside}`;
    const started = await startServer({ command: client, cwd, origin, readyPath: '/small' });
    return {
      ...started,
      async [Symbol.asyncDispose]() {
        await started[Symbol.asyncDispose]();
        await endServer();
      },
    };
  } catch (error) {
    await endServer();
    throw error;
  }
}
