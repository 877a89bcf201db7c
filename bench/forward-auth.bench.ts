import { join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { type SignedInApache, startSignedInApache } from './support/apache.ts';
import { PAGE_CHECK } from './support/check.ts';
import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { type Load, type LoadResult, runLoad } from './support/load.ts';
import { buildPostern, startPostern } from './support/postern.ts';
import { cpuSeconds, processTree } from './support/process-usage.ts';
import { interleave } from './support/rounds.ts';
import { APP_HOSTS, type SeededTokens, seedChildSessions } from './support/seed.ts';
import { type BenchServer, startStaticServer } from './support/servers.ts';
import { median } from './support/statistics.ts';

const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = 32;
const FEW = 10_000;
const MANY = 1_000_000;

interface Measured extends LoadResult {
  /** Requests for each second of CPU time that the server's processes used. */
  requestsPerCpuSecond: number;
}

type Request = Pick<Load, 'path' | 'headers' | 'tokens'>;

async function forwardAuthFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  await using servers = new AsyncDisposableStack();
  progress('building dist/postern');
  await buildPostern();
  progress(`storing ${FEW.toLocaleString('en')} sessions, and ${MANY.toLocaleString('en')}`);
  const [few, many] = [FEW, MANY].map((count) =>
    seedChildSessions(join(directory.path, `data-${count}`), count),
  );
  if (few === undefined || many === undefined) throw new Error('nothing was seeded');
  const small = servers.use(await startPostern(join(directory.path, `data-${FEW}`)));
  const large = servers.use(await startPostern(join(directory.path, `data-${MANY}`)));
  const peer = servers.use(await startSignedInApache(directory.path, 'lean'));
  const packagedPeer = servers.use(await startSignedInApache(directory.path, 'packaged'));
  const bare = servers.use(await startStaticServer(freePort(), directory.path));

  const measure = (server: BenchServer, request: Request) => async (): Promise<Measured> => {
    const pids = processTree(server.pid);
    const before = cpuSeconds(pids);
    const load = { ...request, origin: server.origin, seconds: SECONDS, connections: CONNECTIONS };
    const result = await runLoad({ ...load, directory: directory.path });
    return {
      ...result,
      requestsPerCpuSecond: result.requests / (cpuSeconds(processTree(server.pid)) - before),
    };
  };

  progress(
    `${ROUNDS} rounds: a static route, ${FEW.toLocaleString('en')} sessions, as many out of more, Apache`,
  );
  const rounds = await interleave(
    {
      bare: measure(bare, { path: '/static', headers: { ...PAGE_CHECK.headers, Cookie: oneCookie() } }),
      small: measure(small, checkOf(few, FEW)),
      large: measure(large, checkOf(many, FEW)),
      peer: measure(peer, peerRequest(peer)),
      packagedPeer: measure(packagedPeer, peerRequest(packagedPeer)),
    },
    ROUNDS,
  );
  progress(`${ROUNDS} rounds: sessions that are in memory, and any of ${MANY.toLocaleString('en')}`);
  const misses = await interleave(
    {
      any: measure(large, checkOf(many, MANY)),
      warmUp: measure(large, checkOf(many, FEW)),
      hit: measure(large, checkOf(many, FEW)),
    },
    ROUNDS,
  );
  const ratio = (of: (round: (typeof rounds)[number]) => number) => median(rounds.map(of));
  return {
    ratio: {
      value: ratio(({ small: ours, bare: best }) => ours.requestsPerSecond / best.requestsPerSecond),
      target: { atLeast: 0.38 },
      meaning: 'checks/s over requests/s of a static Bun.serve route',
    },
    vs_peer: {
      value: ratio((round) => round.small.requestsPerCpuSecond / round.peer.requestsPerCpuSecond),
      target: { atLeast: 6 },
      meaning:
        'checks per second of CPU time over Apache’s with mod_auth_openidc, six modules and no access log',
    },
    vs_packaged_peer: {
      value: ratio((round) => round.small.requestsPerCpuSecond / round.packagedPeer.requestsPerCpuSecond),
      meaning: 'the same over Apache as Debian sets it up',
    },
    flat: {
      value: ratio((round) => round.large.requestsPerSecond / round.small.requestsPerSecond),
      target: { atLeast: 0.9 },
      meaning: '1,000,000 sessions stored over 10,000, the same number asked for',
    },
    miss_of_hit: {
      value: median(misses.map(({ any, hit }) => any.requestsPerSecond / hit.requestsPerSecond)),
      target: { atLeast: 0.3 },
      meaning: 'any of 1,000,000 sessions over sessions that are in memory',
    },
    cpu_ratio: {
      value: ratio((round) => round.small.requestsPerCpuSecond / round.bare.requestsPerCpuSecond),
      meaning: 'checks over static requests, both per second of CPU time',
    },
    checks_per_second: {
      value: Math.round(ratio(({ small: ours }) => ours.requestsPerSecond)),
      meaning: `on this machine, ${CONNECTIONS} connections`,
    },
  };
}

function checkOf(seeded: SeededTokens, drawnFrom: number): Request {
  return {
    ...PAGE_CHECK,
    tokens: { ...seeded, count: drawnFrom, hosts: APP_HOSTS, cookieName: '__Host-postern' },
  };
}

/** As long as ours, so that both servers read requests of one size. */
function oneCookie(): string {
  return `__Host-postern=pstc_${'x'.repeat(66)}`;
}

function peerRequest({ path, cookie }: SignedInApache): Request {
  return { path, headers: { ...PAGE_CHECK.headers, Cookie: cookie } };
}

export const benchmark: Benchmark = {
  title: 'forward-auth against a static route, and against Apache with mod_auth_openidc',
  run: forwardAuthFigures,
};
