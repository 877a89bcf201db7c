import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { examine } from '../../../src/cli/doctor/doctor.ts';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { checkNodes } from '../../../src/cli/doctor/nodes.ts';
import { type Config, configSchema } from '../../../src/config/schema.ts';
import { copyDatabase } from '../../../src/db/backup.ts';
import { databasePath } from '../../../src/db/files.ts';
import { migrateDatabase } from '../../../src/db/migrate.ts';
import { makeSelfSigned } from '../../../src/http/certificate.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { temporaryDatabase, temporaryDirectory } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const DAY_MS = 86_400_000;

/** What `doctor` says about one thing. */
async function about(what: string, config: Config, isRunning = false): Promise<Finding[]> {
  const findings = await examine({ config, isRunning });
  return findings.filter((finding) => finding.about === what);
}

/** Listeners on ports that the system chooses, so that tests do not meet. */
const configured = (data_dir: string, more: object = {}) =>
  configSchema.parse({ data_dir, listen: '127.0.0.1:0', metrics_listen: '127.0.0.1:0', ...more });

function dataDirectory(): Disposable & { path: string } {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'data');
  mkdirSync(path, { mode: 0o700 });
  return { path, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

describe('data directory', () => {
  test('that is private is fine, that others can read is not', async () => {
    using directory = dataDirectory();
    expect(await about('data directory', configured(directory.path))).toMatchObject([{ level: 'ok' }]);
    chmodSync(directory.path, 0o755);
    expect(await about('data directory', configured(directory.path))).toMatchObject([{ level: 'warn' }]);
  });

  test('that is a file fails, that is missing is made later', async () => {
    using directory = dataDirectory();
    const file = join(directory.path, 'file');
    writeFileSync(file, '');
    expect(await about('data directory', configured(file))).toMatchObject([{ level: 'fail' }]);
    expect(await about('data directory', configured(join(directory.path, 'none')))).toMatchObject([
      { level: 'warn' },
    ]);
  });
});

describe('secret', () => {
  test('that others can read fails', async () => {
    using directory = dataDirectory();
    expect(await about('secret', configured(directory.path))).toMatchObject([{ level: 'warn' }]);
    writeFileSync(join(directory.path, 'secret'), 'x', { mode: 0o600 });
    expect(await about('secret', configured(directory.path))).toMatchObject([{ level: 'ok' }]);
    chmodSync(join(directory.path, 'secret'), 0o640);
    expect(await about('secret', configured(directory.path))).toMatchObject([{ level: 'fail' }]);
  });
});

describe('database', () => {
  test('that is up to date is fine', async () => {
    using directory = dataDirectory();
    migrateDatabase(databasePath(directory.path));
    expect(await about('database', configured(directory.path))).toMatchObject([{ level: 'ok' }]);
  });

  test('that is damaged, or no database at all, fails', async () => {
    using directory = dataDirectory();
    const path = databasePath(directory.path);
    writeFileSync(path, 'this is no database, and never was one'.repeat(50));
    expect(await about('database', configured(directory.path))).toMatchObject([{ level: 'fail' }]);
    using whole = dataDirectory();
    migrateDatabase(databasePath(whole.path));
    using damaged = dataDirectory();
    copyDatabase(databasePath(whole.path), databasePath(damaged.path));
    truncateSync(databasePath(damaged.path), 8192);
    expect(await about('database', configured(damaged.path))).toMatchObject([{ level: 'fail' }]);
  });

  test('that lacks migrations fails only where starting does not bring them', async () => {
    using directory = dataDirectory();
    writeFileSync(databasePath(directory.path), '');
    expect(await about('database', configured(directory.path))).toMatchObject([{ level: 'warn' }]);
    const manual = configured(directory.path, { database: { auto_migrate: false } });
    expect(await about('database', manual)).toMatchObject([
      { level: 'fail', text: expect.stringContaining('postern migrate') },
    ]);
  });
});

describe('clock', () => {
  test('far behind what the database has seen fails', async () => {
    const future = new ManualClock(systemClock.now() + DAY_MS);
    await using database = temporaryDatabase(future);
    await database.db.write((tx) => database.db.timeMark.advance(tx));
    expect(await about('clock', configured(database.directory))).toMatchObject([
      { level: 'fail', text: expect.stringContaining('nobody gets in') },
    ]);
  });
});

test('looking changes nothing, not even the time that the database has seen', async () => {
  const halfAnHourAgo = new ManualClock(systemClock.now() - 1_800_000);
  await using database = temporaryDatabase(halfAnHourAgo);
  await database.db.write((tx) => database.db.timeMark.advance(tx));
  const seen = () => database.db.reader.$client.query('SELECT * FROM appliance_state').all();
  const before = seen();
  expect(await about('clock', configured(database.directory))).toMatchObject([{ level: 'ok' }]);
  expect(before).toHaveLength(1);
  expect(seen()).toEqual(before);
});

describe('listeners', () => {
  test('on a port that somebody has fail, naming the key', async () => {
    using directory = dataDirectory();
    const other = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const config = configured(directory.path, { listen: `127.0.0.1:${other.port}` });
    expect(await about('listen', config)).toMatchObject([
      { level: 'fail', text: `127.0.0.1:${other.port}: in use by another program` },
    ]);
    expect(await about('metrics_listen', config)).toMatchObject([{ level: 'ok' }]);
    other.stop(true);
  });

  test('of a running server are asked for their health', async () => {
    using directory = dataDirectory();
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('ok') });
    const config = configured(directory.path, {
      url: `http://127.0.0.1:${server.port}`,
      listen: `127.0.0.1:${server.port}`,
    });
    expect(await about('listen', config, true)).toMatchObject([{ level: 'ok' }]);
    expect(await about('url', config, true)).toMatchObject([{ level: 'ok' }]);
    await server.stop(true);
    expect(await about('listen', config, true)).toMatchObject([{ level: 'fail' }]);
    expect(await about('url', config, true)).toMatchObject([{ level: 'warn' }]);
  });
});

describe('trusted proxies', () => {
  test.each([
    ['none on loopback', {}, 'ok'],
    ['none behind a proxy', { url: 'https://auth.test' }, 'warn'],
    ['named', { url: 'https://auth.test', trusted_proxies: ['10.1.0.0/16'] }, 'ok'],
    ['half of the Internet', { trusted_proxies: ['128.0.0.0/1'] }, 'warn'],
    ['a wide range of IPv6', { trusted_proxies: ['2000::/3'] }, 'warn'],
  ])('%s', async (_, more, level) => {
    using directory = dataDirectory();
    expect(await about('trusted_proxies', configured(directory.path, more))).toMatchObject([{ level }]);
  });
});

describe('providers', () => {
  /** A provider that publishes what it is told to. */
  function provider(metadata: (issuer: string) => Response) {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: ({ url }) => metadata(new URL(url).origin),
    });
    return { issuer: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
  }
  const named = (issuer: string) => ({
    provider: [{ name: 'home', issuer, client_id: 'c', client_secret: 's', allow: 'everyone' }],
  });

  test.each([
    ['as configured', (issuer: string) => Response.json({ issuer }), 'ok'],
    ['under another name', () => Response.json({ issuer: 'https://other.test' }), 'fail'],
    ['nothing', () => new Response(null, { status: 404 }), 'fail'],
    ['no metadata', () => new Response('<html>'), 'fail'],
  ])('that publishes %s', async (_, metadata, level) => {
    using directory = dataDirectory();
    await using server = provider(metadata);
    expect(await about('provider home', configured(directory.path, named(server.issuer)))).toMatchObject([
      { level },
    ]);
  });

  test('of tokens alone are looked at too', async () => {
    using directory = dataDirectory();
    await using server = provider((issuer) => Response.json({ issuer }));
    const table = { client_id: 'c', client_secret: 's' };
    const config = configured(directory.path, {
      upstream: {
        provider: [
          { name: 'work', issuer: server.issuer, ...table },
          { name: 'forge', kind: 'gitea', issuer: 'https://git.test', ...table },
        ],
      },
    });
    expect(await about('upstream.provider work', config)).toMatchObject([{ level: 'ok' }]);
    expect(await about('upstream.provider forge', config)).toMatchObject([{ level: 'ok' }]);
  });

  test('that is down fails; whose clock is elsewhere warns', async () => {
    using directory = dataDirectory();
    const down = provider((issuer) => Response.json({ issuer }));
    await down[Symbol.asyncDispose]();
    expect(await about('provider home', configured(directory.path, named(down.issuer)))).toMatchObject([
      { level: 'fail' },
    ]);
    const theirs = new Date(systemClock.now() + 3_600_000).toUTCString();
    await using ahead = provider((issuer) => Response.json({ issuer }, { headers: { date: theirs } }));
    expect(await about('clock', configured(directory.path, named(ahead.issuer)))).toContainEqual(
      expect.objectContaining({ level: 'warn', text: expect.stringMatching(/\d+ s behind the provider/) }),
    );
  });
});

describe('TLS', () => {
  test.each([
    ['for our name', 'auth.test', 90, 'ok'],
    ['that runs out soon', 'auth.test', 3, 'warn'],
    ['that has run out', 'auth.test', -1, 'fail'],
    ['for another name', 'other.test', 90, 'fail'],
  ])('a certificate %s', async (_, name, days, level) => {
    using directory = dataDirectory();
    const now = systemClock.now();
    const { cert, key } = makeSelfSigned({
      names: [name],
      notBefore: now - 30 * DAY_MS,
      notAfter: now + days * DAY_MS,
    });
    const files = { cert: join(directory.path, 'cert.pem'), key: join(directory.path, 'key.pem') };
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
    expect(
      await about('tls', configured(directory.path, { url: 'https://auth.test', tls: files })),
    ).toMatchObject([{ level }]);
  });

  test('with a key of another certificate fails', async () => {
    using directory = dataDirectory();
    const range = { names: ['auth.test'], notBefore: 0, notAfter: 4e12 };
    const files = { cert: join(directory.path, 'cert.pem'), key: join(directory.path, 'key.pem') };
    writeFileSync(files.cert, makeSelfSigned(range).cert);
    writeFileSync(files.key, makeSelfSigned(range).key);
    expect(await about('tls', configured(directory.path, { tls: files }))).toMatchObject([{ level: 'fail' }]);
  });
});

describe('MCP backends', () => {
  const mcp = (more: object) => ({
    mcp: [{ name: 'files', command: ['/bin/cat'], allow: 'owners', ...more }],
  });

  test('that are to be isolated are told by what, and nothing is said where there are none', async () => {
    using directory = dataDirectory();
    expect(await about('mcp isolation', configured(directory.path))).toEqual([]);
    expect(await about('mcp isolation', configured(directory.path, mcp({})))).toMatchObject([
      { level: 'ok', text: 'bubblewrap' },
    ]);
    expect(
      await about('mcp isolation', configured(directory.path, mcp({ isolation: 'none' }))),
    ).toMatchObject([{ level: 'warn' }]);
  });

  test('whose program is not there fail', async () => {
    using directory = dataDirectory();
    expect(await about('mcp files', configured(directory.path, mcp({})))).toEqual([]);
    const config = configured(directory.path, mcp({ command: ['/nowhere/at/all'] }));
    expect(await about('mcp files', config)).toMatchObject([{ level: 'fail' }]);
  });
});

describe('several processes on one data directory', () => {
  const config = configSchema.parse({ redis: { url: 'redis://127.0.0.1:1/0' } });
  const one = { node: 'one', roles: ['broker', 'hub'] };
  const two = { node: 'two', roles: [] };

  test('are named with their roles', () => {
    expect(checkNodes({ config, isRunning: true, servers: [two, one] })).toEqual([
      { level: 'ok', about: 'nodes', text: 'one (broker, hub), two' },
    ]);
  });

  test('without a broker or a hub are a warning', () => {
    const findings = checkNodes({ config, isRunning: true, servers: [two] });
    expect(findings).toMatchObject([
      { level: 'ok', text: 'two' },
      { level: 'warn', text: expect.stringContaining('none is broker: /mcp') },
      { level: 'warn', text: expect.stringContaining('none is hub: tunnels') },
    ]);
  });

  test('are nobody’s business where there is one', () => {
    expect(checkNodes({ config: configSchema.parse({}), isRunning: true, servers: [one] })).toEqual([]);
    expect(checkNodes({ config, isRunning: false })).toEqual([]);
  });
});
