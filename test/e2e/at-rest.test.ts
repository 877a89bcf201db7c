import { expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from '../support/browser.ts';
import { type LoopbackSite, loopbackSite } from '../support/loopback-site.ts';
import { figureOf } from '../support/metrics-of.ts';
import { startRedis } from '../support/redis-server.ts';
import { turnstile } from '../support/turnstile.ts';
import { until } from '../support/until.ts';
import { commitCounter } from '../support/write-ahead-log.ts';

setDefaultTimeout(90_000);

/** Every loop, at a fraction of its usual interval. */
const HURRIED = `[sessions]
touch_interval = "50ms"
reap_interval = "50ms"
live_check_interval = "50ms"
event_keep_alive = "50ms"
`;
const LOOPS = ['touches', 'reaper', 'live-check', 'event-keep-alive'];

const roundsOf = (site: LoopbackSite, loop: string) =>
  figureOf(site.appliance.metricsPort, `postern_loop_rounds_total{loop="${loop}",outcome="success"}`);

async function rounds(site: LoopbackSite, loop: string, count: number): Promise<void> {
  const before = await roundsOf(site, loop);
  await until(`${count} rounds of ${loop}`, async () => (await roundsOf(site, loop)) >= before + count);
}

/** Size and time of every file in the data directory. */
function filesOf({ appliance }: LoopbackSite): Record<string, string> {
  const names = readdirSync(appliance.dataDir).sort();
  return Object.fromEntries(
    names.map((name) => {
      const { size, mtimeNs, ctimeNs } = statSync(join(appliance.dataDir, name), { bigint: true });
      return [name, `${size} ${mtimeNs} ${ctimeNs}`];
    }),
  );
}

const isIn = async (site: LoopbackSite, browser: Browser) =>
  (await browser.fetch(site.url('/api/v1/session'))).status === 200;

test('at rest no file is written, whatever the loops do', async () => {
  await using site = await loopbackSite({ toml: () => HURRIED });
  await site.addPerson('ada');
  const stream = await site.owner.fetch(site.url('/api/v1/sessions/events'));
  await (await site.signIn('ada')).submit(site.url('/sign-out'));
  await Promise.all(LOOPS.map((loop) => rounds(site, loop, 3)));
  const before = filesOf(site);
  await Promise.all(LOOPS.map((loop) => rounds(site, loop, 40)));
  expect(filesOf(site)).toEqual(before);

  // What only reads does not write either.
  await fetch(site.url('/readyz'));
  await fetch(site.url('/sign-in'));
  await fetch(site.url('/api/v1/session'));
  await rounds(site, 'touches', 5);
  expect(filesOf(site)).toEqual(before);
  await stream.body?.cancel();
});

/** The promise is one write in 5 s; here the interval is a tenth of that. */
const TOUCH_INTERVAL_MS = 500;
const ACTIVE = 100;

test('a hundred sessions in use take one write for each interval', async () => {
  // A use is noted once the last is a hundredth of the idle timeout ago.
  const toml = () => `[sessions]
idle_timeout = "20s"
touch_interval = "${TOUCH_INTERVAL_MS}ms"
reap_interval = "1h"
`;
  await using site = await loopbackSite({ toml });
  const log = join(site.appliance.dataDir, 'postern.db-wal');
  await site.addPerson('ada');
  const turns = turnstile(4);
  const browsers = await Promise.all(Array.from({ length: ACTIVE }, () => turns(() => site.signIn('ada'))));
  await rounds(site, 'touches', 2);

  const commits = commitCounter(log);
  const [flushes, startedAt] = [await roundsOf(site, 'touches'), performance.now()];
  while ((await roundsOf(site, 'touches')) < flushes + 6) {
    const answers = await Promise.all(browsers.map((browser) => turns(() => isIn(site, browser))));
    expect(answers.every(Boolean)).toBe(true);
    commits();
  }
  const intervals = (performance.now() - startedAt) / TOUCH_INTERVAL_MS;
  const written = commits();
  expect(written).toBeGreaterThanOrEqual(4);
  expect(written).toBeLessThanOrEqual(Math.ceil(intervals) + 1);

  await rounds(site, 'touches', 3);
  const before = filesOf(site);
  await rounds(site, 'touches', 3);
  expect(filesOf(site)).toEqual(before);
});

test('at rest no file is written with Redis either', async () => {
  await using redis = await startRedis();
  const often = ['heartbeat_interval = "50ms"', 'read_block_timeout = "50ms"'];
  await using site = await loopbackSite({ toml: () => `${HURRIED}${redis.toml(...often)}` });
  await site.addPerson('ada');
  await (await site.signIn('ada')).submit(site.url('/sign-out'));
  expect(await isIn(site, site.owner)).toBe(true);
  const loops = [...LOOPS, 'outbox'];
  await Promise.all(loops.map((loop) => rounds(site, loop, 2)));
  const before = filesOf(site);
  await Promise.all([...LOOPS.map((loop) => rounds(site, loop, 40)), rounds(site, 'outbox', 2)]);
  await fetch(site.url('/readyz'));
  expect(filesOf(site)).toEqual(before);
});
