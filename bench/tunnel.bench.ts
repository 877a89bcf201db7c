import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { openTunnels } from './support/idle-tunnels.ts';
import { runLoad } from './support/load.ts';
import { buildPostern } from './support/postern.ts';
import { watchedMegabytes } from './support/process-usage.ts';
import { interleave } from './support/rounds.ts';
import type { BenchServer } from './support/servers.ts';
import { growthWhileStalled } from './support/stalled-reader.ts';
import { median, percentile } from './support/statistics.ts';
import { downloadSpeed, startOrigin, startTwoHops } from './support/tunnel-peers.ts';
import { rivalTunnels } from './support/tunnel-rivals.ts';
import { startTunnelSite, type TunnelSite } from './support/tunnel-site.ts';

const ROUNDS = 5;
const SECONDS = 2;
const CALLERS = 64;
/** Tunnels that are open at once, and closed in one act. */
const IDLE_TUNNELS = 5_000;
/** Devices unpaired one after another while those are open. */
const UNPAIRED = 300;

async function tunnelFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  await using servers = new AsyncDisposableStack();
  progress('building dist/postern');
  await buildPostern();
  const origin = servers.use(await startOrigin(directory.path));
  const hops = servers.use(await startTwoHops(directory.path, origin));
  progress(`pairing ${IDLE_TUNNELS + UNPAIRED} devices`);
  const site = servers.use(
    await startTunnelSite({
      directory: directory.path,
      target: origin.origin,
      idle: IDLE_TUNNELS + UNPAIRED,
    }),
  );
  const stalledMib = await stalledReader(site, progress);
  const speeds = await comparedSpeeds(site, hops, directory.path, progress);
  const rivals = await rivalFigures(origin, directory.path, progress);
  return { ...speeds, ...rivals, ...stalledMib, ...(await manyTunnels(site, progress)) };
}

/** Requests and bytes through everything that carries them, taking turns: the machine is shared. */
async function comparedSpeeds(
  { appliance, seeded, headers }: TunnelSite,
  hops: BenchServer,
  directory: string,
  progress: (line: string) => void,
): Promise<Figures> {
  const small = `${seeded.path}/small`;
  const load = { seconds: SECONDS, connections: CALLERS, directory };
  const ours = { ...load, origin: appliance.origin, path: small, headers };
  const theirs = { ...load, origin: hops.origin, path: '/small', headers: {} };
  progress(
    `${ROUNDS} rounds: requests of ${CALLERS} callers and of one, a large answer; two chained proxies`,
  );
  const rounds = await interleave(
    {
      rps: async () => (await runLoad(ours)).requestsPerSecond,
      hopsRps: async () => (await runLoad(theirs)).requestsPerSecond,
      oneMs: async () => (await runLoad({ ...ours, connections: 1 })).medianMs,
      mib: () => downloadSpeed(`${appliance.origin}${seeded.path}/large`, headers),
      hopsMib: () => downloadSpeed(`${hops.origin}/large`, {}),
    },
    ROUNDS,
  );
  const ratio = (of: (round: (typeof rounds)[number]) => number) => median(rounds.map(of));
  return {
    rps_of_two_hops: {
      value: ratio((round) => round.rps / round.hopsRps),
      target: { atLeast: 0.3 },
      meaning: `requests/s of ${CALLERS} callers over those through two chained minimal Bun proxies to the same server`,
    },
    mib_of_two_hops: {
      value: ratio((round) => round.mib / round.hopsMib),
      target: { atLeast: 0.3 },
      meaning: 'MiB/s of one large answer over the same through those',
    },
    p50_c1_ms: {
      value: ratio((round) => round.oneMs),
      target: { atMost: 0.6 },
      meaning: 'median request of one caller',
    },
    rps_c64: { value: Math.round(ratio((round) => round.rps)), meaning: 'requests/s, on this machine' },
    mib_s: { value: ratio((round) => round.mib), meaning: 'MiB/s, on this machine' },
    two_hops_rps_c64: {
      value: Math.round(ratio((round) => round.hopsRps)),
      meaning: 'the same through two chained proxies',
    },
    two_hops_mib_s: {
      value: ratio((round) => round.hopsMib),
      meaning: 'the same through two chained proxies',
    },
  };
}

/** The same through other tunnels, where they are installed. */
async function rivalFigures(
  origin: BenchServer,
  directory: string,
  progress: (line: string) => void,
): Promise<Figures> {
  const figures: Record<string, Figures[string]> = {};
  for (const tunnel of rivalTunnels()) {
    const { name } = tunnel;
    progress(`the same through ${name}`);
    await using rival = await tunnel.start(directory, origin);
    const load = { path: '/small', headers: {}, seconds: SECONDS, connections: CALLERS, directory };
    const { requestsPerSecond } = await runLoad({ ...load, origin: rival.origin });
    figures[`${name}_rps_c64`] = { value: Math.round(requestsPerSecond), meaning: `through ${name}` };
    figures[`${name}_mib_s`] = {
      value: await downloadSpeed(`${rival.origin}/large`, {}),
      meaning: `through ${name}`,
    };
  }
  return figures;
}

async function stalledReader(
  { appliance, agent, seeded, headers }: TunnelSite,
  progress: (line: string) => void,
): Promise<Figures> {
  progress('one reader that stalls');
  const asked = { path: `${seeded.path}/large`, headers, pids: [appliance.pid, agent.pid] };
  // What the first large answer needs is needed once, whether its reader stalls or not.
  await downloadSpeed(`${appliance.origin}${asked.path}`, headers);
  return {
    stalled_mib: {
      value: await growthWhileStalled({ ...asked, origin: appliance.origin }),
      target: { atMost: 16 },
      meaning: 'MiB that the appliance or the agent grows by, whichever is more, for a reader that stalls',
    },
  };
}

async function manyTunnels(
  { appliance, seeded }: TunnelSite,
  progress: (line: string) => void,
): Promise<Figures> {
  const { origin, pid } = appliance;
  using dialling = new DisposableStack();
  const calledOff = dialling.adopt(new AbortController(), (controller) => controller.abort());
  const end = async (path: string): Promise<number> => {
    const startedAt = performance.now();
    await endByOwner(origin, path, seeded.cookie);
    return startedAt;
  };
  const toBeUnpaired = seeded.idle.slice(0, UNPAIRED);
  const toStay = seeded.idle.slice(UNPAIRED);

  progress(`opening ${toStay.length} tunnels`);
  // What the first tunnels need is needed once.
  const first = await openTunnels(origin, toBeUnpaired, calledOff.signal);
  const [before = 0] = await watchedMegabytes([pid], Math.min);
  const open = await openTunnels(origin, toStay, calledOff.signal);
  const [after = 0] = await watchedMegabytes([pid], Math.min);
  const idleKib = ((after - before) * 1_000_000) / 1_024 / toStay.length;

  progress(`unpairing ${first.length} devices, one at a time`);
  const revokeMs: number[] = [];
  for (const { device, closed } of first) {
    const startedAt = await end(`/api/v1/devices/${device.id}`);
    revokeMs.push((await closedAsRevoked(closed)) - startedAt);
  }

  progress(`ending ${open.length} sessions of devices at once`);
  const startedAt = await end('/api/v1/sessions?devices=true');
  const ends = await Promise.all(open.map(({ closed }) => closedAsRevoked(closed)));
  return {
    idle_kib: {
      value: idleKib,
      target: { atMost: 10 },
      meaning: `KiB of the appliance for each idle tunnel, with ${toStay.length.toLocaleString('en')} open`,
    },
    close_5000_ms: {
      value: Math.max(...ends) - startedAt,
      target: { atMost: 400 },
      meaning: 'from the request that ends all of them to the end of the last tunnel',
    },
    revoke_p99_ms: {
      value: percentile(revokeMs, 99),
      target: { atMost: 50 },
      meaning: `from the request that unpairs a device to the end of its tunnel, of ${UNPAIRED}, with the others open`,
    },
    revoke_median_ms: { value: median(revokeMs), meaning: 'the same, in the middle' },
  };
}

const REVOKED = 4401;

async function closedAsRevoked(closed: Promise<{ at: number; code: number }>): Promise<number> {
  const { at, code } = await closed;
  if (code !== REVOKED) throw new Error(`a tunnel ended with ${code}`);
  return at;
}

async function endByOwner(origin: string, path: string, cookie: string): Promise<void> {
  const { port } = new URL(origin);
  const response = await fetch(origin + path, {
    method: 'DELETE',
    headers: { origin, cookie: `postern_${port}=${cookie}` },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
}

export const benchmark: Benchmark = {
  title: 'requests and bytes through a tunnel, its memory, and how soon it is over',
  run: tunnelFigures,
};
