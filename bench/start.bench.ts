import { Database } from 'bun:sqlite';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { databasePath } from '../src/db/files.ts';
import { passesCheck } from './support/check.ts';
import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { type BenchPostern, buildPostern, posternCommand, startPostern } from './support/postern.ts';
import { residentMegabytes } from './support/process-usage.ts';
import { seedPeople } from './support/seed.ts';
import { median } from './support/statistics.ts';

const STARTS = 10;
/** Long enough for whatever start-up leaves to do. */
const SETTLING_MS = 5_000;
const WATCHED_MS = 20_000;
const WRITE_INTERVAL_MS = 5_000;
const POLL_MS = 50;
const ACTIVE_SESSIONS = 100;

async function startFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  progress('building dist/postern');
  await buildPostern();
  const dataDir = join(directory.path, 'data');
  const people = seedPeople(dataDir, ACTIVE_SESSIONS, 1);
  const tokens = people.flatMap(({ browsers }) => browsers.map(({ childToken }) => childToken));
  progress(`${STARTS} starts`);
  const firstAnswers: number[] = [];
  // The first one warms the page cache, as a machine that has just written the file has it.
  for (let start = 0; start <= STARTS; start++) firstAnswers.push(await timeToFirstAnswer(dataDir));

  await using server = await startPostern(dataDir);
  progress('at rest');
  await Bun.sleep(SETTLING_MS);
  const restMegabytes = residentMegabytes(server.pid);
  const writesAtRest = await changesOf(() => filesState(dataDir));
  progress(`${ACTIVE_SESSIONS} sessions in use`);
  const commits = await commitsWhile(dataDir, () => useSessions(server, tokens));
  return {
    first_200_ms: {
      value: median(firstAnswers.slice(1)),
      target: { atMost: 80 },
      meaning: `from starting the file to its first 200, median of ${STARTS}`,
    },
    idle_rss_mb: {
      value: restMegabytes,
      target: { atMost: 70 },
      meaning: 'resident memory at rest, in 10^6 bytes',
    },
    writes_at_rest: {
      value: writesAtRest,
      target: { atMost: 0 },
      meaning: `changes of the database’s files in ${WATCHED_MS / 1_000} s of rest`,
    },
    commits_per_5_s: {
      value: commits / (WATCHED_MS / WRITE_INTERVAL_MS),
      target: { atMost: 1 },
      meaning: `write transactions with ${ACTIVE_SESSIONS} sessions in use`,
    },
  };
}

async function timeToFirstAnswer(dataDir: string): Promise<number> {
  const { command, cwd, origin } = posternCommand(dataDir);
  const startedAt = performance.now();
  const child = Bun.spawn(command, { cwd, stdio: ['ignore', 'ignore', 'ignore'] });
  while (!(await isUp(origin))) await Bun.sleep(1);
  const elapsed = performance.now() - startedAt;
  child.kill('SIGTERM');
  await child.exited;
  return elapsed;
}

async function isUp(origin: string): Promise<boolean> {
  try {
    return (await fetch(`${origin}/healthz`)).ok;
  } catch {
    return false;
  }
}

/** How often `look` saw something else than the time before. */
async function changesOf(look: () => string | number): Promise<number> {
  const until = performance.now() + WATCHED_MS;
  let changes = 0;
  let last = look();
  while (performance.now() < until) {
    await Bun.sleep(POLL_MS);
    const now = look();
    if (now !== last) changes++;
    last = now;
  }
  return changes;
}

function filesState(dataDir: string): string {
  const path = databasePath(dataDir);
  return [path, `${path}-wal`, `${path}-journal`]
    .map((file) => (existsSync(file) ? statSync(file, { bigint: true }) : undefined))
    .map((stat) => `${stat?.mtimeNs} ${stat?.size}`)
    .join(' ');
}

/** Commits of other connections, as SQLite tells a reader of them (`PRAGMA data_version`). */
async function commitsWhile(dataDir: string, use: () => Promise<void>): Promise<number> {
  using reader = new Database(databasePath(dataDir), { readonly: true });
  const version = reader.query<{ data_version: number }, []>('PRAGMA data_version');
  const [commits] = await Promise.all([changesOf(() => version.get()?.data_version ?? 0), use()]);
  return commits;
}

/** Every session is used several times a second. */
async function useSessions({ origin }: BenchPostern, tokens: readonly string[]): Promise<void> {
  const until = performance.now() + WATCHED_MS;
  while (performance.now() < until) {
    for (const token of tokens) {
      if (!(await passesCheck(origin, token))) throw new Error('a live session was refused');
    }
    await Bun.sleep(POLL_MS);
  }
}

export const benchmark: Benchmark = {
  title: 'start-up, memory and writes of the compiled file',
  run: startFigures,
};
