import { expect, test } from 'bun:test';
import { startRedis } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

test.each([
  ['plain', {}],
  ['with a password', { password: 'a password of the test' }],
  ['with TLS', { tls: true }],
])('a server of the tests takes commands: %s', async (_name, options) => {
  await using redis = await startRedis(options);
  expect(await redis.client().set('a', 'b')).toBe('OK');
  expect(await redis.client().get('a')).toBe('b');
});

test('it forgets what was written when it is killed, unless it appends to a file', async () => {
  await using forgetful = await startRedis();
  await using careful = await startRedis({ appendonly: true });
  for (const redis of [forgetful, careful]) {
    await redis.client().set('a', 'b');
    await redis.kill9();
    await redis.restart();
  }
  expect([await forgetful.client().get('a'), await careful.client().get('a')]).toEqual([null, 'b']);
});

test('a replica follows its primary', async () => {
  await using primary = await startRedis();
  await using replica = await startRedis({ replicaOf: primary.port });
  await primary.client().set('a', 'b');
  await until('the replica has it', async () => (await replica.client().get('a')) === 'b');
});
