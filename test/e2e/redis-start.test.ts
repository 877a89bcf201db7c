import { describe, expect, test } from 'bun:test';
import { freePort } from '../support/free-port.ts';
import { PROGRAMS, workplace } from '../support/program.ts';
import { startRedis } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const readiness = async (url: string) => {
  const answer = await fetch(`${url}/readyz`);
  const { parts } = (await answer.json()) as { parts: Record<string, string> };
  return { status: answer.status, parts };
};

const QUICK = {
  POSTERN_REDIS_CONNECT_TIMEOUT: '300ms',
  POSTERN_REDIS_LOOKUP_TIMEOUT: '200ms',
  POSTERN_REDIS_READ_BLOCK_TIMEOUT: '100ms',
  POSTERN_REDIS_HEARTBEAT_INTERVAL: '200ms',
  POSTERN_REDIS_HEARTBEAT_TIMEOUT: '500ms',
};

describe.each(PROGRAMS)('%s', (_name, command) => {
  test('does not start without the Redis that it is to use, and says why', async () => {
    const port = freePort();
    await using place = workplace(command, {
      POSTERN_REDIS_URL: `redis://127.0.0.1:${port}/1`,
      POSTERN_REDIS_PASSWORD: 'hush-hush-hush',
    });
    const { exitCode, out, err } = await place.run('serve');
    expect(exitCode).toBe(1);
    expect(err).toContain(`Redis at 127.0.0.1:${port}, database 1 cannot be used: nothing listens there`);
    expect(out + err).not.toContain('hush');
  });

  test('refuses half a configuration of Redis', async () => {
    await using place = workplace(command, { POSTERN_REDIS_PASSWORD: 'hush-hush-hush' });
    const { exitCode, err } = await place.run('serve');
    expect(exitCode).toBe(2);
    expect(err).toContain('redis.url');
    expect(err).not.toContain('hush');
  });

  test.each([
    ['plain', {}],
    ['with TLS and a password', { tls: true, password: 'hush-hush-hush' }],
  ])('is ready with Redis, not without it, and again with it: %s', async (_what, options) => {
    await using redis = await startRedis(options);
    await using place = workplace(command, { ...redis.env, ...QUICK });
    await using server = await place.serve();
    expect(server.err()).toContain(`${redis.host}:${redis.port}, database 0`);
    expect(await readiness(place.url)).toMatchObject({ status: 200, parts: { redis: 'ok' } });
    await redis.kill9();
    await until('it is not ready', async () => (await readiness(place.url)).status === 503);
    expect((await readiness(place.url)).parts).toMatchObject({ redis: 'failing', database: 'ok' });
    // The process itself is well: nobody is to restart it.
    expect((await fetch(`${place.url}/healthz`)).status).toBe(200);
    await redis.restart();
    await until('it is ready again', async () => (await readiness(place.url)).status === 200);
    server.signal('SIGTERM');
    const { exitCode, out, err } = await server.finished;
    expect(exitCode).toBe(0);
    expect(out + err).not.toContain('hush');
  });

  test('ends in time while Redis stands still', async () => {
    await using redis = await startRedis();
    await using place = workplace(command, { ...redis.env, ...QUICK });
    await using server = await place.serve();
    redis.pause();
    server.signal('SIGTERM');
    const { exitCode } = await server.finished;
    redis.resume();
    expect(exitCode).toBe(0);
  });
});
