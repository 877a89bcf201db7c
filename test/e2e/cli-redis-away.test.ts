import { expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser } from '../support/browser.ts';
import { type LoopbackSite, loopbackSite } from '../support/loopback-site.ts';
import { startRedis } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

/** A node that notices soon that Redis is away. */
const IMPATIENT = [
  'lookup_timeout = "300ms"',
  'read_block_timeout = "50ms"',
  'heartbeat_interval = "100ms"',
  'heartbeat_timeout = "500ms"',
];

const statusOf = async (site: LoopbackSite, browser: Browser) =>
  (await browser.fetch(site.url('/api/v1/session'))).status;

const idOf = async (site: LoopbackSite, browser: Browser) => {
  const answer = await browser.fetch(site.url('/api/v1/session'));
  return ((await answer.json()) as { session: { id: string } }).session.id;
};

test('while Redis is away commands end what they can, say what they cannot, and nothing ended comes back', async () => {
  await using redis = await startRedis({ appendonly: true });
  await using site = await loopbackSite({ toml: () => redis.toml(...IMPATIENT) });
  const { appliance } = site;
  const [ada, bob] = [await site.addPerson('ada'), await site.addPerson('bob')];
  const bobElsewhere = await site.signIn('bob');
  const ended = await idOf(site, bob);
  expect(await statusOf(site, bobElsewhere)).toBe(200);
  await redis.kill9();
  await until('nobody is believed any more', async () => (await statusOf(site, bob)) === 503);

  const listed = await appliance.run('session', 'list');
  expect(listed).toMatchObject({ exitCode: 1, out: '' });
  expect(listed.err).toContain('cannot be looked up right now');
  expect(await appliance.run('session', 'end', ended)).toMatchObject({ exitCode: 0 });
  expect(await appliance.run('user', 'disable', 'ada')).toMatchObject({ exitCode: 0 });
  expect(await appliance.run('reap')).toMatchObject({ exitCode: 0 });
  expect(await appliance.run('backup', 'away.backup')).toMatchObject({ exitCode: 0 });
  const doctor = await appliance.run('doctor');
  expect(doctor).toMatchObject({
    exitCode: 1,
    out: expect.stringMatching(/fail +redis +.*nothing listens there/i),
  });

  await appliance.stop();
  const alone = await appliance.run('session', 'list');
  expect(alone).toMatchObject({
    exitCode: 1,
    err: expect.stringMatching(/Redis at 127\.0\.0\.1:\d+.*cannot be used/),
  });
  expect(await appliance.run('backup', 'alone.backup')).toMatchObject({ exitCode: 0 });

  await redis.restart();
  await appliance.start();
  expect([await statusOf(site, site.owner), await statusOf(site, bobElsewhere)]).toEqual([200, 200]);
  expect([await statusOf(site, ada), await statusOf(site, bob)]).toEqual([401, 401]);
  expect(await appliance.run('user', 'enable', 'ada')).toMatchObject({ exitCode: 0 });
  expect(await statusOf(site, ada)).toBe(401);
  expect(await statusOf(site, await site.signIn('ada'))).toBe(200);
});
