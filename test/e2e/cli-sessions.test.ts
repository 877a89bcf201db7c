import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from '../support/browser.ts';
import { type LoopbackSite, loopbackSite } from '../support/loopback-site.ts';
import { startRedis } from '../support/redis-server.ts';

setDefaultTimeout(60_000);

interface SessionRow {
  id: string;
  username: string;
}

const sessionsOf = async (site: LoopbackSite, username: string) => {
  const { out } = await site.appliance.run('session', 'list', '--user', username, '--json');
  return JSON.parse(out) as SessionRow[];
};

const statusOf = async (site: LoopbackSite, browser: Browser) =>
  (await browser.fetch(site.url('/api/v1/session'))).status;

const statusesOf = (site: LoopbackSite, browsers: readonly Browser[]) =>
  Promise.all(browsers.map((browser) => statusOf(site, browser)));

/** Does something beside the running server, or while none runs. */
type Way = (site: LoopbackSite, act: () => Promise<void>) => Promise<void>;

const WAYS: readonly (readonly [string, Way])[] = [
  ['beside the running server', (_site, act) => act()],
  [
    'while no server runs',
    async ({ appliance }, act) => {
      await appliance.stop('SIGKILL');
      await act();
      await appliance.start();
    },
  ],
];

const FILES = ['lock.db', 'postern.db', 'secret'];
const FILES_OF_SEVERAL = [...FILES, 'role-broker.db', 'role-hub.db'].sort();

/** With browser sessions in the database, and in Redis. */
const SITES: readonly (readonly [string, () => Promise<LoopbackSite>])[] = [
  ['sessions in the database', () => loopbackSite()],
  ['sessions in Redis', siteWithRedis],
];

async function siteWithRedis(): Promise<LoopbackSite> {
  await using starting = new AsyncDisposableStack();
  const redis = starting.use(await startRedis());
  const site = starting.use(await loopbackSite({ toml: () => redis.toml() }));
  const running = starting.move();
  return { ...site, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const CASES = SITES.flatMap(([where, open]) => WAYS.map(([when, way]) => [where, when, open, way] as const));

describe.each(CASES)('with %s, commands %s', (where, _when, open, way) => {
  test('end sessions, and nobody else’s', async () => {
    await using site = await open();
    const { appliance } = site;
    const [ada1, ada2] = [await site.addPerson('ada'), await site.signIn('ada')];
    const bob = await site.addPerson('bob');
    await way(site, async () => {
      const rows = await sessionsOf(site, 'ada');
      expect(rows.map(({ username }) => username)).toEqual(['ada', 'ada']);
      const newest = rows.toSorted((a, b) => (a.id < b.id ? 1 : -1))[0]?.id ?? '';
      expect(await appliance.run('session', 'end', newest)).toMatchObject({ exitCode: 0 });
      expect(await appliance.run('session', 'end', newest)).toMatchObject({ exitCode: 1 });
      expect(await sessionsOf(site, 'ada')).toHaveLength(1);
    });
    expect((await statusesOf(site, [ada1, ada2])).toSorted((a, b) => a - b)).toEqual([200, 401]);
    await way(site, async () => {
      expect(await appliance.run('session', 'end-all', 'ada')).toMatchObject({ exitCode: 0 });
      expect(await appliance.run('reap')).toMatchObject({
        exitCode: 0,
        out: expect.stringContaining('sessions'),
      });
    });
    expect(await statusesOf(site, [ada1, ada2, bob, site.owner])).toEqual([401, 401, 200, 200]);
  });

  test('disable a person and remove one', async () => {
    await using site = await open();
    const { appliance } = site;
    const [ada, bob] = [await site.addPerson('ada'), await site.addPerson('bob')];
    await way(site, async () => {
      expect(await appliance.run('user', 'disable', 'ada')).toMatchObject({ exitCode: 0 });
      expect(await appliance.run('user', 'remove', 'bob')).toMatchObject({ exitCode: 0 });
    });
    expect(await statusesOf(site, [ada, bob, site.owner])).toEqual([401, 401, 200]);
    expect((await site.tryPassword('ada')).response.status).not.toBe(303);
    expect((await site.tryPassword('ada')).url.pathname).toBe('/sign-in');
    await way(site, async () => {
      expect(await appliance.run('user', 'enable', 'ada')).toMatchObject({ exitCode: 0 });
    });
    expect(await statusesOf(site, [ada, await site.signIn('ada')])).toEqual([401, 200]);
    expect((await site.tryPassword('bob')).url.pathname).toBe('/sign-in');
  });

  test('back up and restore: people and passwords come back, sessions do not', async () => {
    await using site = await open();
    const { appliance, owner } = site;
    const before = await site.addPerson('ada');
    await way(site, async () => {
      expect(await appliance.run('backup', 'kept.backup')).toMatchObject({ exitCode: 0 });
    });
    const secret = readFileSync(join(appliance.dataDir, 'secret'));
    const since = await site.addPerson('late');
    expect(await statusesOf(site, [owner, before, since])).toEqual([200, 200, 200]);

    await appliance.stop();
    const restored = await appliance.run('restore', 'kept.backup');
    expect(restored).toMatchObject({ exitCode: 0, out: expect.stringContaining('everybody signs in again') });
    await appliance.start();
    expect(await statusesOf(site, [owner, before, since])).toEqual([401, 401, 401]);
    expect(await statusOf(site, await site.signIn('ada'))).toBe(200);
    expect((await site.tryPassword('late')).url.pathname).toBe('/sign-in');
    expect(readFileSync(join(appliance.dataDir, 'secret'))).toEqual(secret);
    await appliance.stop();
    // Whoever leads has one more file from its first round on.
    const may = (name: string) => name.startsWith('before-restore-') || name === 'leader.db';
    const left = readdirSync(appliance.dataDir).filter((name) => !may(name));
    expect(left.sort()).toEqual(where.endsWith('Redis') ? FILES_OF_SEVERAL : FILES);
  });
});
