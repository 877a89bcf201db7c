import { expect, setDefaultTimeout, test } from 'bun:test';
import { Browser } from '../support/browser.ts';
import type { BusyPerson } from '../support/busy-person.ts';
import { type DecisionLog, decisionLog, judge } from '../support/decision-log.ts';
import { residentBytes } from '../support/processes.ts';
import { type SeededRandom, seededRandom } from '../support/random.ts';
import { look, redisFaultLoad } from '../support/redis-fault-load.ts';
import { type RedisFaultSite, redisFaultSite, TIMING } from '../support/redis-fault-site.ts';
import { REDIS_FAULTS } from '../support/redis-faults.ts';
import { turnstile } from '../support/turnstile.ts';
import { until } from '../support/until.ts';

const NAMES = Object.keys(REDIS_FAULTS);
/** Each kind once; 200 of them fit in ten minutes. */
const COUNT = Number(process.env['POSTERN_TEST_REDIS_FAULTS'] ?? NAMES.length);
const SEED = Number(process.env['POSTERN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** How long faults last that pass, in milliseconds: some are over before anybody has noticed. */
const LASTS = [50, 1_500] as const;
/** What `docs/guides/two-nodes.md` states for the defaults of these timers, and time of a machine that does other things besides. */
const BACK_WITHIN_MS =
  TIMING.lookup_timeout + TIMING.connect_timeout + TIMING.heartbeat_timeout + TIMING.heartbeat_interval;
const SLACK_MS = 6_000;
/** One in this many comes together with a fault of one node's line. */
const TOGETHER = 5;
const FLAT_BYTES = 96 * 1_048_576;

setDefaultTimeout(180_000 + COUNT * 8_000);

/** A kind that is due, every one of them before any comes again. */
function* kinds(random: SeededRandom): Generator<string> {
  for (;;) {
    const left = [...NAMES];
    while (left.length > 0) yield left.splice(random.below(left.length), 1)[0] ?? '';
  }
}

async function strike(site: RedisFaultSite, name: string, random: SeededRandom, log: DecisionLog) {
  const context = { site, random, log, lastsMs: LASTS };
  const also = name.startsWith('line_') || random.below(TOGETHER) > 0 ? undefined : random.pick(site.nodes);
  await Promise.all([REDIS_FAULTS[name]?.(context), also?.line.inject('cut', random)]);
}

/** Ready again, and somebody who signs in now is known at every node. Resolves with how long that took, in milliseconds. */
async function back(site: RedisFaultSite): Promise<number> {
  const since = performance.now();
  for (const { name, port } of site.nodes) {
    await until(`${name} is ready`, async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      await answer?.arrayBuffer();
      return answer?.status === 200;
    });
  }
  const cookie = await newcomer(site);
  for (const { name, port } of site.nodes) {
    await until(`${name} knows a newcomer`, async () => {
      const headers = { host: new URL(site.origin).host, cookie };
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/session`, { headers });
      await answer.arrayBuffer();
      return answer.status === 200;
    });
  }
  return performance.now() - since;
}

async function newcomer(site: RedisFaultSite): Promise<string> {
  let cookie = '';
  await until('somebody can sign in', async () => {
    const browser = new Browser();
    const page = await browser.visit(site.url('/sign-in/home'));
    if (page.response.status !== 200) return false;
    await site.home.signIn(browser, page, 'newcomer');
    cookie = browser.cookies.header(site.url('/'));
    return browser.cookies.get(site.url('/'), site.cookie) !== undefined;
  });
  return cookie;
}

/** Everything that ever ended is asked for once more, at every node. */
async function lookAtAll(site: RedisFaultSite, log: DecisionLog, people: readonly BusyPerson[]) {
  const turns = turnstile(32);
  const holdings = people.flatMap((person) => person.holdings);
  const looks = site.nodes.flatMap((node) =>
    holdings.map((each) => turns(() => look(site, log, node, each))),
  );
  return Promise.all(looks);
}

test(`${COUNT} faults of Redis (seed ${SEED}): nothing revoked is served too late or comes back, and all recovers by itself`, async () => {
  const random = seededRandom(SEED);
  const log = decisionLog();
  await using site = await redisFaultSite(['north', 'south'], LASTS);
  await using load = await redisFaultLoad(site, log, random.below(2 ** 31));
  const waits: { fault: string; ms: number }[] = [];
  const memory: number[] = [];
  const order = kinds(random);
  for (let count = 0; count < COUNT; count++) {
    const fault = String(order.next().value);
    await strike(site, fault, random, log);
    const ms = await back(site);
    waits.push({ fault, ms });
    expect({ fault, count, ms, isInTime: ms <= BACK_WITHIN_MS + SLACK_MS }).toMatchObject({ isInTime: true });
    expect({ fault, count, ...judge(log, TIMING.heartbeat_timeout) }).toMatchObject({ violations: [] });
    await until('the owner is signed in', () => site.renewOwner());
    memory.push(Math.max(...site.nodes.map(({ pid }) => residentBytes(pid))));
    // Some faults come while things have only just healed, others once all has settled.
    await Bun.sleep(random.below(500));
  }
  await load.stop();
  // Real time: what was ended by the last request may still be served for so long.
  await Bun.sleep(TIMING.heartbeat_timeout);
  const last = await lookAtAll(site, log, load.people);
  expect(last).not.toContain('unavailable');
  const judgement = judge(log, TIMING.heartbeat_timeout);
  console.log(summary(waits, judgement, load.people, memory));
  expect(judgement.violations).toEqual([]);
  expect(load.odd).toEqual([]);
  expect(judgement.counts.served ?? 0).toBeGreaterThan(COUNT * 10);
  expect(memory.slice(-3).some((bytes) => bytes - (memory[0] ?? 0) < FLAT_BYTES)).toBe(true);
  for (const node of site.nodes) expect(node.printed()).not.toContain('a bug');
});

function summary(
  waits: readonly { fault: string; ms: number }[],
  { latestMs, lost, counts }: ReturnType<typeof judge>,
  people: readonly BusyPerson[],
  memory: readonly number[],
): string {
  const byFault = NAMES.map((name) => {
    const own = waits.filter(({ fault }) => fault === name).map(({ ms }) => ms);
    return own.length === 0 ? undefined : `${name} ${Math.round(Math.max(...own))}`;
  });
  const holdings = people.flatMap((person) => person.holdings);
  const ended = holdings.filter(({ state }) => state === 'ended').length;
  const mib = [memory[0], memory.at(-1)].map((bytes) => Math.round((bytes ?? 0) / 1_048_576)).join(' to ');
  return [
    `longest way back in ms: ${byFault.filter((each) => each !== undefined).join(', ')}`,
    `decisions: ${JSON.stringify(counts)}; ${holdings.length} credentials, ${ended} ended, ${lost} lost by Redis`,
    `latest pass after the answer that it had ended: ${Math.round(latestMs)} ms of ${TIMING.heartbeat_timeout}; MiB: ${mib}`,
  ].join('\n');
}
