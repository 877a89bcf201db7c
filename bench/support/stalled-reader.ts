import { connect } from 'node:net';
import { watchedMegabytes } from './process-usage.ts';

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
  const before = await watchedMegabytes(pids, Math.min);
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
    const stalled = await watchedMegabytes(pids, Math.max);
    const grown = stalled.map((most, index) => most - (before[index] ?? 0));
    return (Math.max(...grown) * 1_000_000) / 1_048_576;
  } finally {
    socket.destroy();
  }
}
