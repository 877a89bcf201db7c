import { join } from 'node:path';
import { databasePath } from '../src/db/files.ts';
import { connect } from '../src/db/open.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { PAGE_CHECK, passesCheck } from './support/check.ts';
import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { runLoad } from './support/load.ts';
import { type BenchPostern, buildPostern, startPostern } from './support/postern.ts';
import { cpuSeconds } from './support/process-usage.ts';
import { interleave } from './support/rounds.ts';
import { APP_HOSTS, APPLIANCE_ORIGIN, type SeededTokens } from './support/seed.ts';
import { hostTokensFile, type SeededBrowser, seedBrowsers } from './support/seed-browsers.ts';
import { signInsPerSecond, startSignInProvider } from './support/sign-ins.ts';
import { median, percentile } from './support/statistics.ts';

const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = 32;
/** Each has a session at every one of the hosts. */
const BROWSERS = 1_000;
const ENDED_BROWSERS = 400;
/** The other node's load while sessions end: connections to each node, which rest between two requests. */
const REVOKE_SECONDS = 30;
const REVOKE_CONNECTIONS = 32;
const REST_MS = 10;
const SIGNING_IN = 32;
const PATIENCE_MS = 5_000;

async function nodesFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  await using servers = new AsyncDisposableStack();
  progress('building dist/postern');
  await buildPostern();
  const redis = servers.use(await startRedis());
  const provider = servers.use(await startSignInProvider());
  const dataDirOf = (name: string) => join(directory.path, name, 'data');
  progress(`signing in ${BROWSERS.toLocaleString('en')} people without Redis, and with it`);
  const inSqlite = await seedBrowsers(dataDirOf('sqlite'), BROWSERS);
  const inRedis = await seedBrowsers(dataDirOf('redis'), BROWSERS + ENDED_BROWSERS, redis.url);
  const ended = inRedis.splice(BROWSERS);
  const sqliteTokens = hostTokensFile(join(directory.path, 'sqlite-tokens'), inSqlite);
  const redisTokens = hostTokensFile(join(directory.path, 'redis-tokens'), inRedis);
  const alone = servers.use(await startPostern(dataDirOf('sqlite'), provider.toml));
  const withRedis = provider.toml + redis.toml();
  const north = servers.use(await startPostern(dataDirOf('redis'), withRedis, { POSTERN_NODE: 'north' }));

  progress('asking for every session once, so that all are in memory');
  await fillMemory(alone, inSqlite);
  await fillMemory(north, inRedis);
  progress(`${ROUNDS} rounds of checks: without Redis, and with it`);
  const checks = await interleave(
    {
      sqlite: () => checkRate(alone, sqliteTokens, directory.path),
      redis: () => checkRate(north, redisTokens, directory.path),
    },
    ROUNDS,
  );
  progress(`${ROUNDS} rounds of sign-ins: without Redis, and with it`);
  const signIns = ({ origin }: BenchPostern) =>
    signInsPerSecond({ origin, issuer: provider.origin, seconds: SECONDS, browsers: SIGNING_IN });
  const logins = await interleave({ sqlite: () => signIns(alone), redis: () => signIns(north) }, ROUNDS);

  progress('ending sessions on one node while both are busy');
  const other = { POSTERN_NODE: 'south', POSTERN_ROLES: '' };
  const south = servers.use(await startPostern(dataDirOf('redis'), withRedis, other));
  const refusedAfter = await revocations({
    here: north,
    there: south,
    browsers: ended,
    tokens: redisTokens,
    directory: directory.path,
    dataDir: dataDirOf('redis'),
  });
  const meaning = `from the commit on one node to the refusal on the other, ${REVOKE_CONNECTIONS} busy connections to each`;
  return {
    revoke_p50_ms: { value: median(refusedAfter), target: { atMost: 10 }, meaning },
    revoke_p99_ms: {
      value: percentile(refusedAfter, 99),
      target: { atMost: 250 },
      meaning: `the same, of ${refusedAfter.length} sessions`,
    },
    redis_of_sqlite: {
      value: median(checks.map(({ redis: shared, sqlite }) => shared.perSecond / sqlite.perSecond)),
      target: { atLeast: 0.95 },
      meaning: 'checks/s of sessions in memory, with Redis over without',
    },
    login_of_sqlite: {
      value: median(logins.map((round) => round.redis / round.sqlite)),
      target: { atLeast: 0.6 },
      meaning: `whole sign-ins/s through a provider, ${SIGNING_IN} at once, with Redis over without`,
    },
    cpu_redis_of_sqlite: {
      value: median(checks.map(({ redis: shared, sqlite }) => shared.perCpuSecond / sqlite.perCpuSecond)),
      meaning: 'the same, per second of CPU time of the program',
    },
    checks_per_second: {
      value: Math.round(median(checks.map((round) => round.redis.perSecond))),
      meaning: `with Redis, on this machine, ${CONNECTIONS} connections`,
    },
    logins_per_second: {
      value: Math.round(median(logins.map((round) => round.redis))),
      meaning: 'with Redis, on this machine',
    },
  };
}

function checkOf(tokens: SeededTokens) {
  return {
    ...PAGE_CHECK,
    tokens: { ...tokens, hosts: APP_HOSTS, cookieName: '__Host-postern' },
  };
}

async function fillMemory({ origin }: BenchPostern, browsers: readonly SeededBrowser[]): Promise<void> {
  for (const { hostTokens } of browsers) {
    const asked = hostTokens.map((token, index) => passesCheck(origin, token, APP_HOSTS[index]));
    if ((await Promise.all(asked)).includes(false)) throw new Error('a live session was refused');
  }
}

async function checkRate({ origin, pid }: BenchPostern, tokens: SeededTokens, directory: string) {
  const load = { ...checkOf(tokens), origin, seconds: SECONDS, connections: CONNECTIONS, directory };
  const before = cpuSeconds([pid]);
  const { requests, requestsPerSecond } = await runLoad(load);
  return { perSecond: requestsPerSecond, perCpuSecond: requests / (cpuSeconds([pid]) - before) };
}

interface Revocations {
  here: BenchPostern;
  there: BenchPostern;
  browsers: readonly SeededBrowser[];
  tokens: SeededTokens;
  directory: string;
  dataDir: string;
}

/** How long after the commit on one node each was refused on the other, in milliseconds. */
async function revocations({ here, there, ...more }: Revocations): Promise<number[]> {
  const { browsers, tokens, directory, dataDir } = more;
  const busy = [here, there].map(({ origin }, index) =>
    runLoad({
      ...checkOf(tokens),
      origin,
      seconds: REVOKE_SECONDS,
      connections: REVOKE_CONNECTIONS,
      restMs: REST_MS,
      directory: join(directory, String(index)),
    }),
  );
  let isOver = false;
  const loaded = Promise.all(busy).finally(() => {
    isOver = true;
  });
  const refusedAt = new Map<string, number>();
  for (const browser of browsers) {
    if (isOver) break;
    refusedAt.set(browser.id, await endHere(here, there, browser));
  }
  await loaded;
  return delays(dataDir, refusedAt);
}

/** Ends a session on one node, and resolves with the epoch millisecond of the first refusal by the other. */
async function endHere(here: BenchPostern, there: BenchPostern, browser: SeededBrowser): Promise<number> {
  const [childToken = ''] = browser.hostTokens;
  if (!(await passesCheck(there.origin, childToken))) throw new Error('a live session was refused');
  const ending = fetch(`${here.origin}/api/v1/session`, {
    method: 'DELETE',
    headers: {
      host: new URL(APPLIANCE_ORIGIN).host,
      origin: APPLIANCE_ORIGIN,
      cookie: `__Host-postern=${browser.token}`,
    },
  });
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (await passesCheck(there.origin, childToken))
    if (performance.now() > giveUpAt) throw new Error('an ended session is served');
  const refusedAt = Date.now();
  const answer = await ending;
  if (!answer.ok) throw new Error(`ending a session answered ${answer.status}: ${await answer.text()}`);
  return refusedAt;
}

/** What is stored of the end is the instant just before the commit. */
function delays(dataDir: string, refusedAt: ReadonlyMap<string, number>): number[] {
  const client = connect(databasePath(dataDir));
  try {
    const query = client.query<{ at: number | null }, [string]>(
      'SELECT revoked_at_ms AS at FROM sessions WHERE id = ?',
    );
    return [...refusedAt].map(([id, at]) => {
      const revokedAt = query.get(id)?.at;
      if (revokedAt === null || revokedAt === undefined) throw new Error(`${id} was not revoked`);
      return Math.max(0, at - revokedAt);
    });
  } finally {
    client.close();
  }
}

export const benchmark: Benchmark = {
  title: 'several nodes with Redis: how soon an end is heard of, and what Redis costs',
  run: nodesFigures,
};
