import { expect, test } from 'bun:test';
import { connect, createServer, type Socket } from 'node:net';
import { hostAudience } from '../../../src/sessions/audience.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { sessionNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

/** An address behind which one server takes the place of another: connections that stand stay where they are. */
async function movingAddress(first: TestRedis) {
  let target = first.port;
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: target });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one.on('error', () => undefined).on('close', () => other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    leadTo(server: TestRedis) {
      target = server.port;
    },
    hangUp,
    [Symbol.dispose]() {
      hangUp();
      listener.close();
    },
  };
}

const clientNamed = async (server: TestRedis, name: string) => {
  const lines = String(await server.client().client('LIST')).split('\n');
  return lines.flatMap((line) =>
    line.includes(`name=${name} `) ? [/addr=(\S+)/.exec(line)?.[1] ?? ''] : [],
  );
};

test('where one connection leads to another server than the other, both are made anew', async () => {
  await using before = await startRedis();
  await using after = await startRedis();
  using address = await movingAddress(before);
  await using nodes = await sessionNodes(before, { redis: { url: address.url } });
  await until('it is trusted', () => nodes.first.isTrusted());

  // A name that leads elsewhere from now on, and a connection that happens to be made again.
  address.leadTo(after);
  for (const addr of await clientNamed(before, 'postern-commands'))
    await before.client().call('CLIENT', 'KILL', 'ADDR', addr);
  await until('nothing leads to the old one', async () => {
    const left = await Promise.all(
      ['postern-commands', 'postern-reader'].map((name) => clientNamed(before, name)),
    );
    return left.flat().length === 0;
  });
  await until('it is trusted again', () => nodes.first.isTrusted() && nodes.second.isTrusted());
  expect(nodes.first.figure('postern_session_events_resets_total{reason="server"}')).toBeGreaterThan(0);
  const { session } = await nodes.first.signIn(await nodes.first.addUser());
  expect((await nodes.second.ledger.find(session.id))?.status).toBe('active');
});

test('a process that is left with the old server does not believe what it has in memory', async () => {
  await using before = await startRedis();
  await using after = await startRedis();
  using address = await movingAddress(before);
  // Long past what this test takes: nothing but the other server can make it refuse.
  await using nodes = await sessionNodes(before, { redis: { heartbeat_timeout: 600_000 } });
  await using moved = await nodes.another({ redis: { url: address.url } });
  const { first } = nodes;
  await until('they are trusted', () => first.isTrusted() && moved.isTrusted());
  const audience = hostAudience('app.home');
  const { session } = await first.signIn(await first.addUser());
  const personal = await first.db.write((tx) =>
    first.ledger.openPersonalToken(tx, {
      issuedBy: session.id,
      label: 'backup',
      audience: [audience],
      expiresAt: first.clock.now() + 3_600_000,
      origin: session.origin,
    }),
  );
  const ask = async () => (await first.ledger.authenticate(personal.token, 'personal', audience)).ok;
  expect(await ask()).toBe(true);

  // A replica has become the primary for whoever asks now; the old one goes on for who is still there.
  address.leadTo(after);
  address.hangUp();
  await until('the one that lost its connection is at the new server', async () => {
    const there = await clientNamed(after, 'postern-commands');
    return there.length === 1 && moved.redis.connection.isReady;
  });
  expect(await moved.ledger.end(personal.session.id, { reason: 'ended_by_user' })).toBe(true);
  await until('the other one refuses it', async () => !(await ask()));
  await until('it is said', () =>
    first.said.some(({ message }) => message.includes('from another Redis server')),
  );
});

test('a primary that is made a replica while a read waits is let go of', async () => {
  await using primary = await startRedis();
  await using nodes = await sessionNodes(primary, {
    // Between two reads nobody is told; heartbeats would find that out.
    redis: { heartbeat_interval: 60_000, heartbeat_timeout: 90_000, read_block_timeout: 10_000 },
  });
  // Only who waits hears of it from the server; all others find out with a heartbeat.
  await until('both have read what there was', () => nodes.first.isTrusted() && nodes.second.isTrusted());
  await until('both wait', async () => {
    const lines = String(await primary.client().client('LIST')).split('\n');
    return lines.filter((line) => / name=postern-reader .* flags=b /.test(line)).length === 2;
  });
  await primary.client().replicaof('127.0.0.1', 1);
  await until(
    'the reader is refused',
    async () => (await clientNamed(primary, 'postern-reader')).length === 0,
  );
  await primary.client().replicaof('NO', 'ONE');
  await until('both read again', async () => (await clientNamed(primary, 'postern-reader')).length === 2);
  expect(nodes.first.redis.connection.isReady).toBe(true);
});
