import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../support/database.ts';
import { errorOf } from '../../support/error-of.ts';
import { freePort } from '../../support/free-port.ts';
import { type Running, startProgram } from '../../support/program.ts';
import { connectionsOf } from '../../support/redis-connections.ts';
import { redisServer, startRedis } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

const PASSWORD = 'hush of the servers';
const SENTINEL_PASSWORD = 'hush of the sentinel';

interface Sentinel extends AsyncDisposable {
  readonly port: number;
}

/** A real sentinel that watches a primary, and takes it for dead after half a second. */
async function startSentinel(primaryPort: number): Promise<Sentinel> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory());
  const port = freePort();
  const file = join(directory.path, 'sentinel.conf');
  writeFileSync(
    file,
    `port ${port}
bind 127.0.0.1
requirepass "${SENTINEL_PASSWORD}"
sentinel monitor home 127.0.0.1 ${primaryPort} 1
sentinel auth-pass home "${PASSWORD}"
sentinel down-after-milliseconds home 500
sentinel failover-timeout home 3000
`,
  );
  const running: Running = starting.use(
    startProgram([redisServer(), file, '--sentinel'], directory.path, { PATH: process.env['PATH'] ?? '' }),
  );
  await running.printed('+monitor');
  const standing = starting.move();
  return { port, [Symbol.asyncDispose]: () => standing.disposeAsync() };
}

const tomlFor = (sentinels: readonly number[], name = 'home') => `[redis]
url = "redis://whatever/1"
password = "${PASSWORD}"
sentinels = [${sentinels.map((port) => `"127.0.0.1:${port}"`).join(', ')}]
sentinel_name = "${name}"
sentinel_password = "${SENTINEL_PASSWORD}"
connect_timeout = "400ms"
lookup_timeout = "400ms"
`;

test('the primary is where the sentinels say, after a failover too', async () => {
  await using primary = await startRedis({ password: PASSWORD });
  await using replica = await startRedis({ password: PASSWORD, replicaOf: primary.port });
  await until('the replica follows', async () =>
    (await replica.client().info('replication')).includes('master_link_status:up'),
  );
  await using sentinel = await startSentinel(primary.port);
  // One that is not there is passed over.
  using connections = await connectionsOf(tomlFor([freePort(), sentinel.port]));
  const { redis } = connections;
  expect(redis.target).toContain('home of the sentinels 127.0.0.1:');
  await redis.commands.set('a', 'b');
  expect(await primary.client().get('a')).toBeNull();
  const before = redis.connection.server;
  await until('the sentinel knows the replica', async () =>
    (await primary.client().info('replication')).includes('connected_slaves:1'),
  );
  await until('the replica has it', async () =>
    (await replica.client().info('keyspace')).includes('db1:keys='),
  );

  await primary.kill9();
  await until('it is found again', async () => {
    if (!redis.connection.isReady) return false;
    return (await errorOf(redis.check())) === undefined;
  });
  expect(redis.connection.server.runId).not.toBe(before.runId);
  expect(await redis.commands.get('a')).toBe('b');
});

test('sentinels that are away, do not know the name, or refuse us, are told of without secrets', async () => {
  await using primary = await startRedis({ password: PASSWORD });
  await using sentinel = await startSentinel(primary.port);
  const away = freePort();
  const known = tomlFor([sentinel.port]);
  for (const [toml, reason] of [
    [tomlFor([away]), 'none of its sentinels answers (redis.sentinels)'],
    [tomlFor([sentinel.port], 'elsewhere'), 'its sentinels know no primary of that name'],
    [known.replace(SENTINEL_PASSWORD, 'hush of nobody'), 'its sentinels refuse the user or the password'],
    [known.replace(PASSWORD, 'hush of nobody'), 'it refuses the user or the password'],
  ] as const) {
    const error = await errorOf(connectionsOf(toml));
    expect(String(error)).toContain('of the sentinels 127.0.0.1:');
    expect(String(error)).toContain(`cannot be used: ${reason}`);
    expect(Bun.inspect(error)).not.toContain('hush');
  }
});
