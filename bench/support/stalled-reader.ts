import { connect } from 'node:net';
import { residentMegabytes } from './process-usage.ts';

/** How long memory is looked at, before and while the reader stalls. */
const WATCHED_MS = 4_000;
const LOOK_MS = 100;

/**
 * What processes grow by at most, in MiB, while somebody asks for `path` and reads nothing of the answer; of the one that
 * grows most, over the least that it had before.
 * @throws when the answer does not begin.
 */
export async function growthWhileStalled(options: {
  origin: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  pids: readonly number[];
}): Promise<number> {
  const { origin, path, headers, pids } = options;
  const { hostname, port, host } = new URL(origin);
  const before = await watched(pids, Math.min);
  const begun = Promise.withResolvers<void>();
  const socket = connect(Number(port), hostname);
  try {
    socket.once('error', begun.reject);
    socket.once('data', (first) => {
      socket.pause();
      if (first.toString('latin1').startsWith('HTTP/1.1 200')) begun.resolve();
      else begun.reject(new Error(`answered ${first.toString('latin1').slice(0, 200)}`));
    });
    const fields = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`);
    await begun.promise;
    const stalled = await watched(pids, Math.max);
    const grown = stalled.map((most, index) => most - (before[index] ?? 0));
    return (Math.max(...grown) * 1_000_000) / 1_048_576;
  } finally {
    socket.destroy();
  }
}

/** The least, or the most, that each process had for a while. */
async function watched(pids: readonly number[], pick: (a: number, b: number) => number): Promise<number[]> {
  let seen = pids.map(residentMegabytes);
  const until = performance.now() + WATCHED_MS;
  while (performance.now() < until) {
    await Bun.sleep(LOOK_MS);
    seen = seen.map((value, index) => pick(value, residentMegabytes(pids[index] ?? 0)));
  }
  return seen;
}
