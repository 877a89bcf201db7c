import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { type BenchServer, startServer } from './servers.ts';

const PROGRAM = join(import.meta.dir, 'tunnel-peer-programs.ts');

/** Bytes that the origin sends for `/large`. */
export const LARGE_MIB = 256;

/** What is behind everything that is compared: a few bytes at `/small`, `LARGE_MIB` at `/large`. */
export function startOrigin(cwd: string): Promise<BenchServer> {
  return start(cwd, ['origin']);
}

/** The origin behind two chained proxies, each of them one `fetch` in `Bun.serve`: as many hops as a tunnel has. */
export async function startTwoHops(cwd: string, origin: BenchServer): Promise<BenchServer> {
  const inner = await start(cwd, ['hop', origin.origin]);
  try {
    const outer = await start(cwd, ['hop', inner.origin]);
    return { ...outer, [Symbol.asyncDispose]: () => disposeAll(outer, inner) };
  } catch (error) {
    await inner[Symbol.asyncDispose]();
    throw error;
  }
}

/** MiB per second that a process of its own reads from one answer. @throws when it is not answered whole. */
export async function downloadSpeed(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const child = Bun.spawn([process.execPath, PROGRAM, 'download', url, JSON.stringify(headers)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  const [printed, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const [, bytes = '', ms = ''] = /READ (\d+) ([\d.]+)/.exec(printed) ?? [];
  if (Number(bytes) !== LARGE_MIB * 1_048_576) {
    throw new Error(`${bytes || 'no'} bytes of ${LARGE_MIB} MiB came: ${errors}`);
  }
  return LARGE_MIB / (Number(ms) / 1_000);
}

async function disposeAll(...servers: readonly BenchServer[]): Promise<void> {
  for (const server of servers) await server[Symbol.asyncDispose]();
}

function start(cwd: string, args: readonly string[]): Promise<BenchServer> {
  const port = freePort();
  const command = [process.execPath, PROGRAM, ...args];
  const origin = `http://127.0.0.1:${port}`;
  return startServer({ command, cwd, env: { PORT: String(port) }, origin, readyPath: '/small' });
}
