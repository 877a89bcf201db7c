import { join } from 'node:path';
import { passesCheck } from './support/check.ts';
import { benchDirectory } from './support/directory.ts';
import { openEventStream } from './support/event-streams.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { buildPostern, startPostern } from './support/postern.ts';
import { APPLIANCE_ORIGIN, type SeededPerson, seedPeople } from './support/seed.ts';
import { median, percentile } from './support/statistics.ts';

/** Streams that stay open while others end. */
const OPEN_STREAMS = 1_000;
const BROWSERS_EACH = 10;
const WATCHERS = OPEN_STREAMS / BROWSERS_EACH;
/** People who are signed out everywhere, each with an open stream in every browser. */
const ENDED_PEOPLE = 50;
/** Sessions ended one at a time, to see when the first check is refused. */
const DENIED_SESSIONS = 500;

async function revokeFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  progress('building dist/postern');
  await buildPostern();
  const dataDir = join(directory.path, 'data');
  const people = seedPeople(
    dataDir,
    WATCHERS + ENDED_PEOPLE + DENIED_SESSIONS / BROWSERS_EACH,
    BROWSERS_EACH,
  );
  await using server = await startPostern(dataDir);
  const { origin } = server;
  const watchers = people.splice(0, WATCHERS);
  const ended = people.splice(0, ENDED_PEOPLE);
  progress(`opening ${OPEN_STREAMS.toLocaleString('en')} event streams`);
  for (const { browsers } of watchers) await openStreams(origin, browsers);

  progress(`signing out ${ENDED_PEOPLE} people everywhere, each with ${BROWSERS_EACH} streams`);
  const streamMs: number[] = [];
  for (const person of ended) streamMs.push(...(await timeToEndOfStreams(origin, person)));

  progress(`ending ${DENIED_SESSIONS} sessions, one at a time`);
  const denyMs: number[] = [];
  for (const browser of people.flatMap(({ browsers }) => browsers)) {
    denyMs.push(await timeToRefusal(origin, browser));
  }
  return {
    deny_p99_ms: {
      value: percentile(denyMs, 99),
      target: { atMost: 5 },
      meaning: `from the answer that a session has ended to the first refusal, of ${DENIED_SESSIONS}`,
    },
    stream_p99_ms: {
      value: percentile(streamMs, 99),
      target: { atMost: 50 },
      meaning: `from the request that ends them to the end of event streams, with ${OPEN_STREAMS.toLocaleString('en')} others open`,
    },
    deny_median_ms: { value: median(denyMs), meaning: 'the same, in the middle' },
    stream_median_ms: { value: median(streamMs), meaning: 'the same, in the middle' },
  };
}

function openStreams(origin: string, browsers: SeededPerson['browsers']) {
  return Promise.all(browsers.map(({ token }) => openEventStream(origin, token)));
}

/** Counted from the request, because streams are over before its answer comes. */
async function timeToEndOfStreams(origin: string, { browsers }: SeededPerson): Promise<number[]> {
  const streams = await openStreams(origin, browsers);
  const askedAt = performance.now();
  await endSessions(origin, '/api/v1/sessions', browsers[0]?.token ?? '');
  const ends = await Promise.all(streams.map(({ ended }) => ended));
  return ends.map((endedAt) => endedAt - askedAt);
}

async function timeToRefusal(
  origin: string,
  { token, childToken }: SeededPerson['browsers'][number],
): Promise<number> {
  if (!(await passesCheck(origin, childToken))) throw new Error('a live session was refused');
  const answeredAt = await endSessions(origin, '/api/v1/session', token);
  while (await passesCheck(origin, childToken));
  return performance.now() - answeredAt;
}

/** Resolves with the instant of the answer. */
async function endSessions(origin: string, path: string, token: string): Promise<number> {
  const response = await fetch(origin + path, {
    method: 'DELETE',
    headers: {
      host: new URL(APPLIANCE_ORIGIN).host,
      origin: APPLIANCE_ORIGIN,
      cookie: `__Host-postern=${token}`,
    },
  });
  const answeredAt = performance.now();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
  return answeredAt;
}

export const benchmark: Benchmark = {
  title: 'how soon an ended session is refused, and its streams are closed',
  run: revokeFigures,
};
