import { join } from 'node:path';
import { connect } from '../src/db/open.ts';
import { TOKEN_LENGTH } from '../src/sessions/token.ts';
import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { lua, REPORT, runScript } from './support/load.ts';
import { buildPostern, startPostern } from './support/postern.ts';
import { interleave } from './support/rounds.ts';
import { APPLIANCE_ORIGIN } from './support/seed.ts';
import { BENCH_CLIENT, seedGrants } from './support/seed-grants.ts';
import { median } from './support/statistics.ts';

const ROUNDS = 5;
const SECONDS = 3;
const IN_FLIGHT = 64;
/** More than are in flight, so that a token is not asked for again while its answer is on the way. */
const GRANTS_PER_ROUND = 256;
const COMMITS_PER_CHECK = 50;

async function tokenFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  await using servers = new AsyncDisposableStack();
  progress('building dist/postern');
  await buildPostern();
  const dataDir = join(directory.path, 'data');
  const tokens = await seedGrants(dataDir, GRANTS_PER_ROUND * (ROUNDS + 1));
  const server = servers.use(await startPostern(dataDir));
  let round = 0;
  const refreshes = async () => {
    const script = refreshing(tokens, GRANTS_PER_ROUND * round++);
    const load = { origin: server.origin, seconds: SECONDS, connections: IN_FLIGHT };
    return (await runScript({ ...load, directory: directory.path }, script)).requestsPerSecond;
  };
  progress(`${ROUNDS} rounds: refreshes with ${IN_FLIGHT} in flight, and commits one after another`);
  const commits = () => sequentialCommits(join(directory.path, 'commits.db'));
  const rounds = await interleave({ refreshes, commits }, ROUNDS);
  return {
    refresh_of_commits: {
      value: median(rounds.map((each) => each.refreshes / each.commits)),
      target: { atLeast: 0.6 },
      meaning: 'whole refresh requests/s over sequential commits/s of one row',
    },
    refreshes_per_second: {
      value: Math.round(median(rounds.map((each) => each.refreshes))),
      meaning: `on this machine, ${IN_FLIGHT} in flight`,
    },
    commits_per_second: {
      value: Math.round(median(rounds.map((each) => each.commits))),
      meaning: 'on this machine, synchronous=FULL, on the same disk',
    },
  };
}

/** Each request takes the token that has waited for longest; each answer brings the one that follows it. */
function refreshing(file: string, skip: number): string {
  const host = new URL(APPLIANCE_ORIGIN).host;
  const body = `grant_type=refresh_token&client_id=${BENCH_CLIENT}&refresh_token=`;
  const head = [
    'POST /oauth/token HTTP/1.1',
    `Host: ${host}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.length + TOKEN_LENGTH}`,
  ];
  return `
local beginning = ${lua(`${head.join('\r\n')}\r\n\r\n${body}`)}
local waiting, first, last = {}, 1, 0
function init()
  local line = 0
  for token in io.lines(${lua(file)}) do
    line = line + 1
    if line > ${skip} and line <= ${skip + GRANTS_PER_ROUND} then
      last = last + 1
      waiting[last] = token
    end
  end
end
function request()
  local token = waiting[first]
  waiting[first] = nil
  first = first + 1
  return beginning .. token
end
function response(status, headers, body)
  last = last + 1
  waiting[last] = body:match('"refresh_token":"([^"]+)"')
end
${REPORT}`;
}

/** Commits of one row each, one after another, through the pragmas that the appliance has. */
function sequentialCommits(path: string): number {
  const client = connect(path);
  try {
    client.run('CREATE TABLE IF NOT EXISTS one (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)');
    const insert = client.prepare('INSERT INTO one (count) VALUES (?)');
    const startedAt = performance.now();
    let commits = 0;
    do {
      for (let each = 0; each < COMMITS_PER_CHECK; each++) insert.run(each);
      commits += COMMITS_PER_CHECK;
    } while (performance.now() - startedAt < SECONDS * 1_000);
    return commits / ((performance.now() - startedAt) / 1_000);
  } finally {
    client.close();
  }
}

export const benchmark: Benchmark = {
  title: 'refreshes of OAuth clients over HTTP against commits of the database',
  run: tokenFigures,
};
