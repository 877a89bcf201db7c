import { expect, test } from 'bun:test';
import { checkRedis } from '../../../src/cli/doctor/redis.ts';
import { configDirectory } from '../../support/config-directory.ts';
import { freePort } from '../../support/free-port.ts';
import { startRedis } from '../../support/redis-server.ts';

const findings = (toml: string) => {
  using directory = configDirectory(toml);
  return checkRedis({ config: directory.load(), isRunning: false });
};

test('Redis that is off, and that works', async () => {
  await using server = await startRedis({ password: 'hush' });
  expect(await findings('')).toMatchObject([{ level: 'ok' }]);
  const [found, ...others] = await findings(server.toml());
  expect(others).toEqual([]);
  expect(found?.level).toBe('ok');
  expect(found?.text).toMatch(/^127\.0\.0\.1:\d+, database 0: version \d/);
});

test('Redis that could be set up better', async () => {
  await using server = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] });
  const found = await findings(server.toml());
  expect(found.map(({ level }) => level)).toEqual(['ok', 'warn']);
  expect(found[1]?.text).toContain('maxmemory-policy volatile-lru');
});

test('Redis that is not there, without its password', async () => {
  const [found] = await findings(`[redis]\nurl = "redis://127.0.0.1:${freePort()}"\npassword = "hush"`);
  expect(found?.level).toBe('fail');
  expect(found?.text).toContain('nothing listens there');
  expect(found?.text).not.toContain('hush');
});
