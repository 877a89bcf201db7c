import { join } from 'node:path';
import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { startMcpProxy, startSupergateway } from './support/mcp-bridges.ts';
import {
  callTool,
  ECHO_COMMAND,
  httpCallsPerSecond,
  initialize,
  type McpEndpoint,
  medianCallMs,
  startDirectClient,
} from './support/mcp-callers.ts';
import { type BenchPostern, buildPostern, startPostern } from './support/postern.ts';
import { residentMegabytes } from './support/process-usage.ts';
import { interleave } from './support/rounds.ts';
import { APPLIANCE_ORIGIN, type SeededClient, seedMcpClient } from './support/seed.ts';
import type { BenchServer } from './support/servers.ts';
import { median, percentile } from './support/statistics.ts';

const ROUNDS = 5;
const SECONDS = 3;
const CALLERS = 64;
const SWAPS = 20;
const SWAP_CALLERS = 8;
const SESSIONS = 1_000;

const RESOURCE = `${APPLIANCE_ORIGIN}/mcp/echo`;
const CONFIGURATION = `
[[mcp]]
name = "echo"
command = ${JSON.stringify(ECHO_COMMAND)}
env = { TOKEN = "\${secret.TOKEN}" }
allow = "everyone"
limits = { queue = 1024 }

[mcp_server]
protocol_sessions_per_grant = ${SESSIONS * 2}
`;

async function mcpFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  await using servers = new AsyncDisposableStack();
  progress('building dist/postern');
  await buildPostern();
  const dataDir = join(directory.path, 'data');
  const seeded = seedMcpClient(dataDir, RESOURCE);
  const postern = servers.use(await startPostern(dataDir, CONFIGURATION));
  const ours = ourEndpoint(postern, seeded);
  await setToken(postern, seeded, 'token-0');

  const calls = await comparedCalls(servers, ours, directory.path, progress);
  progress(`${SWAPS} swaps under ${SWAP_CALLERS} callers`);
  const swaps = await swapFigures(postern, seeded, await ours.begin());
  progress(`memory of ${SESSIONS} protocol sessions`);
  const sessionKb = await memoryPerSession(postern, ours);

  return {
    ...calls,
    swap_over_start_ms: {
      value: swaps.overStartMs,
      target: { atMost: 50 },
      meaning:
        'from a new token to calls that have it, over what a start of that server takes (isolation included)',
    },
    swap_p999_call_ms: {
      value: swaps.p999Ms,
      target: { atMost: 100 },
      meaning: `99.9 % of calls take less while ${SWAPS} swaps go on`,
    },
    session_kb: {
      value: sessionKb,
      target: { atMost: 150 },
      meaning: 'memory for each protocol session, beside the server',
    },
    swaps_tried: { value: SWAPS, meaning: `swaps, with ${swaps.calls} calls, none of which failed` },
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;

interface Ours {
  /** A new protocol session. */
  begin(): Promise<McpEndpoint>;
}

function ourEndpoint({ origin }: BenchServer, { accessToken }: SeededClient): Ours {
  const host = new URL(APPLIANCE_ORIGIN).host;
  const headers = { Host: host, authorization: `Bearer ${accessToken}` };
  return { begin: () => initialize(`${origin}/mcp/echo`, headers) };
}

/** Gives the person's secret another value, as the account page does: the server that carries it is replaced. */
async function setToken({ origin }: BenchServer, { cookie }: SeededClient, value: string): Promise<void> {
  const response = await fetch(`${origin}/api/v1/secrets`, {
    method: 'POST',
    headers: {
      host: new URL(APPLIANCE_ORIGIN).host,
      origin: APPLIANCE_ORIGIN,
      cookie: `__Host-postern=${cookie}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: 'TOKEN', value }),
  });
  if (!response.ok)
    throw new Error(`the secret could not be set: ${response.status} ${await response.text()}`);
}

async function comparedCalls(
  servers: AsyncDisposableStack,
  ours: Ours,
  directory: string,
  progress: (line: string) => void,
): Promise<Figures> {
  const direct = servers.use(await startDirectClient());
  const supergateway = servers.use(await startSupergateway(directory));
  const mcpProxy = servers.use(await startMcpProxy(directory));
  const load = { connections: CALLERS, seconds: SECONDS, directory };
  const through = async (endpoint: McpEndpoint) => httpCallsPerSecond(endpoint, load);

  progress(`${ROUNDS} rounds with ${CALLERS} callers: direct, ours, supergateway, mcp-proxy`);
  const many = await interleave(
    {
      direct: () => direct.callsPerSecond({ callers: CALLERS, seconds: SECONDS }),
      ours: async () => through(await ours.begin()),
      supergateway: async () => through(await initialize(`${supergateway.origin}/mcp`)),
      mcpProxy: async () => through(await initialize(`${mcpProxy.origin}/mcp`)),
    },
    ROUNDS,
  );
  progress(`${ROUNDS} rounds with one caller: direct, ours`);
  const endpoint = await ours.begin();
  const one = await interleave(
    {
      direct: () => medianCallMs(() => direct.call(), SECONDS * 1_000),
      ours: () => medianCallMs(() => callTool(endpoint), SECONDS * 1_000),
    },
    ROUNDS,
  );
  const ratio = (of: (round: (typeof many)[number]) => number) => median(many.map(of));
  return {
    c64_of_direct: {
      value: ratio((round) => round.ours / round.direct),
      target: { atLeast: 0.3 },
      meaning: `calls/s at ${CALLERS} callers over those of the official client on stdio`,
    },
    c64_vs_supergateway: {
      value: ratio((round) => round.ours / round.supergateway),
      target: { atLeast: 6 },
      meaning: 'the same over supergateway’s',
    },
    c64_vs_mcp_proxy: {
      value: ratio((round) => round.ours / round.mcpProxy),
      target: { atLeast: 6 },
      meaning: 'the same over mcp-proxy’s',
    },
    c1_over_direct_ms: {
      value: median(one.map((round) => round.ours - round.direct)),
      target: { atMost: 0.45 },
      meaning: 'median call of one caller, over the same on stdio',
    },
    calls_per_second: {
      value: Math.round(ratio((round) => round.ours)),
      meaning: `on this machine, ${CALLERS} callers, authentication and audit on`,
    },
    direct_per_second: { value: Math.round(ratio((round) => round.direct)), meaning: 'on stdio' },
  };
}

/** New tokens one after another, while callers go on calling. @throws when a call fails. */
async function swapFigures(postern: BenchPostern, seeded: SeededClient, endpoint: McpEndpoint) {
  const took: number[] = [];
  const swaps: number[] = [];
  const over = new AbortController();
  const caller = async () => {
    while (!over.signal.aborted) {
      const startedAt = performance.now();
      await callTool(endpoint);
      took.push(performance.now() - startedAt);
    }
  };
  const callers = Array.from({ length: SWAP_CALLERS }, caller);
  const before = await startsSoFar(postern);
  try {
    for (let round = 1; round <= SWAPS; round++) {
      const token = `token-${round}`;
      const startedAt = performance.now();
      await setToken(postern, seeded, token);
      while ((await callTool(endpoint, 'token')) !== token);
      swaps.push(performance.now() - startedAt);
    }
  } finally {
    over.abort();
    await Promise.all(callers);
  }
  const after = await startsSoFar(postern);
  const startMs = (after.ms - before.ms) / (after.count - before.count);
  return { overStartMs: mean(swaps) - startMs, p999Ms: percentile(took, 99.9), calls: took.length };
}

/** Starts of the server so far: how many, and how long they took together. */
async function startsSoFar({ metricsOrigin }: BenchPostern): Promise<{ count: number; ms: number }> {
  const text = await (await fetch(`${metricsOrigin}/metrics`)).text();
  const read = (what: string) =>
    Number(new RegExp(`^postern_mcp_start_seconds_${what}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1]);
  return { count: read('count'), ms: read('sum') * 1_000 };
}

async function memoryPerSession(postern: BenchServer, ours: Ours): Promise<number> {
  // What the first sessions need is needed once.
  for (let count = 0; count < SESSIONS / 2; count++) await callTool(await ours.begin());
  const before = residentMegabytes(postern.pid);
  for (let count = 0; count < SESSIONS; count++) await callTool(await ours.begin());
  return ((residentMegabytes(postern.pid) - before) * 1_000) / SESSIONS;
}

export const benchmark: Benchmark = {
  title: 'MCP calls against stdio, supergateway and mcp-proxy; swaps; memory of protocol sessions',
  run: mcpFigures,
};
