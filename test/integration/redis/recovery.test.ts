import { describe, expect, test } from 'bun:test';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { errorOf } from '../../support/error-of.ts';
import { connectionsOf, type TestConnections } from '../../support/redis-connections.ts';
import { startRedis } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

const QUICK = ['connect_timeout = "300ms"', 'lookup_timeout = "200ms"', 'read_block_timeout = "100ms"'];

const down = ({ redis }: TestConnections) => until('it is lost', () => !redis.connection.isReady);
const back = ({ redis }: TestConnections) => until('it is back', () => redis.connection.isReady);
const messages = ({ log }: TestConnections) => log.lines.map(({ level, message }) => `${level}: ${message}`);
const LOST = 'warn: the connection to Redis is lost; it is tried again';
const FOUND = 'info: Redis is connected again';

describe('Redis that is killed', () => {
  test('fails commands at once, is told of, and is found again by itself', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(server.toml());
    const { redis, metrics } = connections;
    const told: string[] = [];
    using _lost = redis.connection.onLost(() => told.push('lost'));
    using _back = redis.onReconnect(({ runId }) => told.push(`back ${runId !== ''}`));
    const before = redis.connection.server.runId;

    await server.kill9();
    await down(connections);
    expect(metrics.render()).toContain('postern_redis_connected{connection="commands"} 0');
    expect(await errorOf(redis.commands.get('a'))).toBeInstanceOf(Error);
    expect(await errorOf(redis.check())).toBeInstanceOf(Error);
    await until('nothing listens', () => redis.connection.fault === 'nothing listens there');

    await server.restart();
    await back(connections);
    await redis.check();
    await until('it is told', () => told.length === 2);
    expect(told).toEqual(['lost', 'back true']);
    expect(redis.connection.server.runId).not.toBe(before);
    expect(messages(connections)).toEqual([LOST, FOUND]);
    expect(metrics.render()).toContain('postern_redis_connected{connection="commands"} 1');
    expect(metrics.render()).toContain('postern_redis_reconnects_total{connection="commands"} 1');
    expect(metrics.render()).toContain('postern_redis_failed_commands_total{reason="connection"}');
  });

  test('fails what was under way', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(server.toml('lookup_timeout = "20s"'));
    server.pause();
    const asked = errorOf(connections.redis.commands.get('a'));
    await server.kill9();
    expect(await asked).toBeInstanceOf(Error);
  });
});

describe('Redis that stands still', () => {
  test('fails commands in time, and answers again', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(server.toml(...QUICK));
    const { redis, metrics } = connections;
    server.pause();
    expect(await errorOf(redis.commands.get('a'))).toHaveProperty('message', 'Command timed out');
    expect(metrics.render()).toContain('postern_redis_failed_commands_total{reason="timeout"} 1');
    // A peer that is silent for long is taken for dead, and dialled anew.
    await down(connections);
    server.resume();
    await back(connections);
    expect(await redis.commands.set('a', 'b')).toBe('OK');
  });
});

describe('a server that will not do any more is not asked', () => {
  test('because it became a replica, until it is a primary again', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(server.toml(...QUICK));
    const { redis } = connections;
    await server.client().replicaof('127.0.0.1', 1);
    await until('a write is refused', async () => (await errorOf(redis.check())) !== undefined);
    await until('it is refused', () => redis.connection.fault?.startsWith('it is a replica') === true);
    await down(connections);
    expect(await errorOf(redis.commands.get('a'))).toBeInstanceOf(Error);
    await server.client().replicaof('NO', 'ONE');
    await back(connections);
    await redis.check();
  });

  test('because the database is gone: nothing ends up in another one', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(server.toml(...QUICK).replace('/0"', '/5"'));
    const { redis } = connections;
    await redis.commands.set('a', 'b');
    await server.stop();
    await server.restart({ args: ['--databases', '2'] });
    await until('it is refused', () => redis.connection.fault?.startsWith('it has no database') === true);
    expect(redis.connection.isReady).toBe(false);
    expect(await errorOf(redis.commands.set('a', 'c'))).toBeInstanceOf(Error);
    expect(await server.client().dbsize()).toBe(0);
  });
});

test('certificates that were renewed are used without a restart', async () => {
  await using server = await startRedis({ tls: true });
  using directory = temporaryDirectory();
  using connections = await connectionsOf(server.toml(...QUICK));
  const renewed = await makeCertificate(directory.path, ['localhost']);
  await server.kill9();
  copyFileSync(renewed.cert, server.certificate?.cert ?? '');
  copyFileSync(renewed.key, server.certificate?.key ?? '');
  await server.restart();
  await back(connections);
  await connections.redis.check();
});

test('files of TLS that are not there for a while are looked for again', async () => {
  await using server = await startRedis({ tls: true });
  using directory = temporaryDirectory();
  const [ca, elsewhere] = [join(directory.path, 'ca.pem'), join(directory.path, 'moved.pem')];
  const certificate = server.certificate?.cert ?? '';
  copyFileSync(certificate, ca);
  using connections = await connectionsOf(server.toml(...QUICK).replace(certificate, ca));
  const { redis } = connections;
  renameSync(ca, elsewhere);
  redis.connection.renew();
  await until('it says why', () => redis.connection.fault?.includes('cannot be read') === true);
  expect(redis.connection.isReady).toBe(false);
  renameSync(elsewhere, ca);
  await back(connections);
  await redis.check();
});

test('a listener that fails keeps nobody else from hearing', async () => {
  await using server = await startRedis();
  using connections = await connectionsOf(server.toml());
  const { connection } = connections.redis;
  const told: string[] = [];
  using _failing = connection.onLost(() => {
    throw new Error('it fails');
  });
  using _other = connection.onLost(() => told.push('lost'));
  connection.renew();
  await until('it is told', () => told.length === 1);
  await back(connections);
  expect(messages(connections)).toContain(
    'error: somebody who was to hear of the connection to Redis failed',
  );
});

describe('a reader', () => {
  test('that is asked for while all end stays none', async () => {
    await using server = await startRedis();
    const { redis } = await connectionsOf(server.toml());
    const reader = errorOf(redis.connectReader());
    redis[Symbol.dispose]();
    expect(String(await reader)).toContain('have been ended');
    await until('nobody is connected', async () => {
      const clients = String(await server.client().client('LIST'));
      return !clients.includes('name=postern-');
    });
  });

  test('waits longer than a command may take, and hears what comes', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(
      server.toml('lookup_timeout = "100ms"', 'read_block_timeout = "2s"'),
    );
    const reader = await connections.redis.connectReader();
    await reader.whenReady(new AbortController().signal);
    const read = reader.client.xread('BLOCK', 2_000, 'STREAMS', 'events', '0-0');
    await until('the reader waits', async () => {
      const clients = String(await server.client().client('LIST'));
      return clients.includes('name=postern-reader') && clients.includes('cmd=xread');
    });
    expect(await errorOf(connections.redis.commands.blpop('none', 1))).toHaveProperty(
      'message',
      'Command timed out',
    );
    await server.client().xadd('events', '1-0', 'a', 'b');
    expect(await read).toEqual([['events', [['1-0', ['a', 'b']]]]]);
  });

  test('is ready again after a loss, or until nobody waits any more', async () => {
    await using server = await startRedis();
    using connections = await connectionsOf(server.toml(...QUICK));
    const reader = await connections.redis.connectReader();
    await server.kill9();
    await until('it is lost', () => !reader.isReady);
    const ending = new AbortController();
    const given = errorOf(reader.whenReady(ending.signal));
    ending.abort(new Error('enough'));
    expect(await given).toHaveProperty('message', 'enough');
    expect(await errorOf(reader.whenReady(ending.signal))).toHaveProperty('message', 'enough');
    const ready = reader.whenReady(new AbortController().signal);
    await server.restart();
    await ready;
    expect(await reader.client.ping()).toBe('PONG');
  });

  test.each([
    ['answers', false],
    ['stands still', true],
  ])('that waits ends at once with the others, when Redis %s; twice is harmless', async (_what, isStill) => {
    await using server = await startRedis();
    const { redis, log } = await connectionsOf(server.toml('read_block_timeout = "4s"'));
    const reader = await redis.connectReader();
    const read = errorOf(reader.client.xread('BLOCK', 4_000, 'STREAMS', 'events', '$'));
    if (isStill) server.pause();
    const endedAt = performance.now();
    redis[Symbol.dispose]();
    redis[Symbol.dispose]();
    expect(await read).toBeInstanceOf(Error);
    expect(performance.now() - endedAt).toBeLessThan(1_000);
    expect(await errorOf(redis.commands.get('a'))).toBeInstanceOf(Error);
    expect(log.lines).toEqual([]);
    server.resume();
  });
});
