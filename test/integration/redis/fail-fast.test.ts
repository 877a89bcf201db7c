import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createServer, connect as dial, type Socket } from 'node:net';
import { CommandError } from '../../../src/lib/command-error.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { errorOf } from '../../support/error-of.ts';
import { freePort } from '../../support/free-port.ts';
import { connectionsOf } from '../../support/redis-connections.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';

const PASSWORD = 'hush-hush-hush';
let servers: { plain: TestRedis; guarded: TestRedis; tls: TestRedis };
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const [plain, guarded, tls] = await Promise.all([
    startRedis({ args: ['--databases', '4'] }),
    startRedis({ password: PASSWORD }),
    startRedis({ tls: true }),
  ]);
  for (const server of [plain, guarded, tls]) stack.use(server);
  servers = { plain, guarded, tls };
});
afterAll(() => stack.disposeAsync());

/** What a start says that cannot be. */
async function refusal(toml: string): Promise<string> {
  const error = await errorOf(connectionsOf(toml));
  if (!(error instanceof CommandError)) throw new Error('it connected', { cause: error });
  expect(Bun.inspect(error)).not.toContain(PASSWORD);
  return error.message;
}

const at = (url: string, ...more: string[]) => ['[redis]', `url = "${url}"`, ...more].join('\n');

describe('Redis is used', () => {
  test.each(['plain', 'guarded', 'tls'] as const)('%s', async (name) => {
    using connections = await connectionsOf(servers[name].toml());
    expect(await connections.redis.commands.ping()).toBe('PONG');
    await connections.redis.check();
    expect(connections.log.lines).toEqual([]);
  });

  test('at another database', async () => {
    using connections = await connectionsOf(at(servers.plain.url.replace(/0$/, '3')));
    await connections.redis.commands.set('there', '1');
    expect(await servers.plain.client().get('there')).toBeNull();
    expect(connections.redis.target).toBe(`127.0.0.1:${servers.plain.port}, database 3`);
  });

  test('by a user of its own, who needs no more than this', async () => {
    const rules = 'on >hush-hush-hush ~postern:* &postern:* +@all -@admin -@dangerous +info'.split(' ');
    await servers.plain.client().acl('SETUSER', 'postern', ...rules);
    using connections = await connectionsOf(
      at(servers.plain.url, 'username = "postern"', `password = "${PASSWORD}"`),
    );
    await connections.redis.check();
  });

  test('over TLS at an address, when it is told which name the certificate bears', async () => {
    const { port, certificate } = servers.tls;
    const toml = `${at(`rediss://127.0.0.1:${port}`)}\n[redis.tls]\nca = "${certificate?.cert}"\n`;
    expect(await refusal(toml)).toContain('another name');
    using connections = await connectionsOf(`${toml}server_name = "localhost"`);
    await connections.redis.check();
  });

  test('with a certificate of ours, where it asks for one', async () => {
    await using asking = await startRedis({ tls: true, args: ['--tls-auth-clients', 'yes'] });
    expect(await refusal(asking.toml())).toContain('cannot be used');
    const { cert, key } = asking.certificate ?? { cert: '', key: '' };
    using connections = await connectionsOf(`${asking.toml()}cert = "${cert}"\nkey = "${key}"`);
    await connections.redis.check();
  });
});

describe('a start is refused, and says why', () => {
  test('nobody listens there', async () => {
    const port = freePort();
    expect(await refusal(at(`redis://127.0.0.1:${port}/2`))).toBe(
      `Redis at 127.0.0.1:${port}, database 2 cannot be used: nothing listens there`,
    );
  });

  test('the name is not known', async () => {
    expect(await refusal(at('redis://nowhere.invalid'))).toContain('its name is not known');
  });

  test('the database is not there', async () => {
    expect(await refusal(at(servers.plain.url.replace(/0$/, '99')))).toContain(
      'it has no database of that number (redis.url)',
    );
  });

  test('no password, and a wrong one', async () => {
    expect(await refusal(at(servers.guarded.url))).toContain('it wants a password (redis.password)');
    expect(await refusal(at(servers.guarded.url, 'password = "hush-hush"'))).toContain(
      'it refuses the user or the password (redis.username, redis.password)',
    );
    const unknown = ['username = "nobody"', `password = "${PASSWORD}"`];
    expect(await refusal(at(servers.guarded.url, ...unknown))).toContain('it refuses the user');
  });

  test('a user who may not read what the server is, or not write', async () => {
    const client = servers.plain.client();
    await client.acl('SETUSER', 'blind', 'on', `>${PASSWORD}`, '~*', '+@all', '-info');
    await client.acl('SETUSER', 'reader', 'on', `>${PASSWORD}`, '~*', '+@all', '-@write');
    const as = (name: string) => at(servers.plain.url, `username = "${name}"`, `password = "${PASSWORD}"`);
    expect(await refusal(as('blind'))).toContain('its user needs the command INFO');
    expect(await refusal(as('reader'))).toContain('its user may not do what is needed (NOPERM');
  });

  test('TLS 1.1 is all that it speaks', async () => {
    const old = ['--tls-protocols', 'TLSv1.1', '--tls-ciphers', 'DEFAULT:@SECLEVEL=0'];
    await using server = await startRedis({ tls: true, args: old });
    expect(await refusal(server.toml())).toContain('it must speak TLS 1.2 or newer');
  });

  test('nobody who is known has signed its certificate', async () => {
    using directory = temporaryDirectory();
    const other = await makeCertificate(directory.path, ['localhost']);
    const unknown = 'no authority that is known here has signed its certificate (redis.tls.ca)';
    expect(await refusal(at(servers.tls.url))).toContain(unknown);
    expect(await refusal(at(servers.tls.url, '[redis.tls]', `ca = "${other.cert}"`))).toContain(unknown);
  });

  test('its certificate is for another name', async () => {
    const tls = ['[redis.tls]', `ca = "${servers.tls.certificate?.cert}"`, 'server_name = "other.example"'];
    expect(await refusal(at(servers.tls.url, ...tls))).toContain('another name than the one that is dialled');
  });

  test('a file of TLS cannot be read, or holds something else', async () => {
    expect(await refusal(at(servers.tls.url, '[redis.tls]', 'ca = "/nowhere/ca.pem"'))).toBe(
      `Redis at localhost:${servers.tls.port}, database 0, TLS cannot be used: redis.tls.ca: /nowhere/ca.pem cannot be read: there is no such file`,
    );
    expect(await refusal(at(servers.tls.url, '[redis.tls]', 'ca = "/etc/passwd"'))).toContain(
      'the files of redis.tls are not what they should be',
    );
  });

  test('it is dialled without TLS where it speaks TLS, and the other way round', async () => {
    expect(await refusal(at(`redis://127.0.0.1:${servers.tls.port}`))).toContain('it closes the connection');
    const quick = ['connect_timeout = "300ms"', 'lookup_timeout = "200ms"'];
    expect(await refusal(at(`rediss://127.0.0.1:${servers.plain.port}`, ...quick))).toContain(
      'it does not answer in time',
    );
  });

  test('it takes the connection and says nothing', async () => {
    await using silent = await startRedis();
    silent.pause();
    const quick = ['connect_timeout = "200ms"', 'lookup_timeout = "200ms"'];
    expect(await refusal(silent.toml(...quick))).toContain('it does not answer in time');
    silent.resume();
  });

  test('it is a replica', async () => {
    await using replica = await startRedis({ replicaOf: servers.plain.port });
    expect(await refusal(replica.toml())).toContain('it is a replica, which takes no writes');
  });

  test('its memory is full', async () => {
    await using full = await startRedis({ args: ['--maxmemory', '1'] });
    expect(await refusal(full.toml())).toContain('its memory is full (maxmemory)');
  });

  test('it is too old', async () => {
    const { port, [Symbol.dispose]: end } = await pretending(servers.plain.port, '6.2.15');
    using _proxy = { [Symbol.dispose]: end };
    expect(await refusal(at(`redis://127.0.0.1:${port}`))).toContain('it is Redis 6.2.15; 7.0 is the oldest');
  });

  test('the key of a stream is something else', async () => {
    await servers.plain.client().set('postern:other', 'x');
    expect(await refusal(at(servers.plain.url, 'events_stream = "postern:other"'))).toContain(
      'redis.events_stream is "postern:other", which is a string there and no stream',
    );
  });
});

test('what could be better is said at start', async () => {
  await using evicting = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  using connections = await connectionsOf(evicting.toml());
  const [line, ...others] = connections.log.lines;
  expect(others).toEqual([]);
  expect(line?.level).toBe('warn');
  expect(line?.fields['shortcoming']).toContain('set it to noeviction');
});

/** Debian has no old Redis: what this one says of itself is changed on the way. */
async function pretending(toPort: number, version: string): Promise<Disposable & { port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = dial({ host: '127.0.0.1', port: toPort });
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined));
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1').replace(/redis_version:[\d.]+/, (found) => {
        const said = `redis_version:${version}`;
        return said.padEnd(found.length, '0');
      });
      client.write(Buffer.from(text, 'latin1'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
