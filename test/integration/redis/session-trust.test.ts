import { afterAll, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { sessions } from '../../../src/db/schema/index.ts';
import { hostAudience } from '../../../src/sessions/audience.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import { outboxStore } from '../../../src/sessions/store-outbox.ts';
import { startRedis } from '../../support/redis-server.ts';
import {
  askNode,
  figureIn,
  type SessionNode,
  type SessionNodes,
  trustingNodes,
} from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

const server = await startRedis();
afterAll(() => server[Symbol.asyncDispose]());
const EVENTS = 'postern:events';
const DEVICE_EVENTS = 'postern:device-sessions';

const resets = (node: SessionNode, reason: string) =>
  node.figure(`postern_session_events_resets_total{reason="${reason}"}`);
const misses = ({ metrics }: SessionNode) => figureIn(metrics, 'postern_session_cache_misses_total');

/** Whether a look at the session was answered from memory. */
async function isFromMemory(node: SessionNode, issued: Issued): Promise<boolean> {
  const before = misses(node);
  expect((await askNode(node, issued)).ok).toBe(true);
  return misses(node) === before;
}

async function isTrustedAgain(nodes: Pick<SessionNodes, 'first' | 'second'>): Promise<void> {
  await until('both are trusted again', () => nodes.first.isTrusted() && nodes.second.isTrusted());
  const answers = async ({ redis }: SessionNode) =>
    redis.commands.ping().then(
      () => true,
      () => false,
    );
  await until('both can ask', async () => (await answers(nodes.first)) && (await answers(nodes.second)));
}

/** A revocation on the first node is heard of on the second. */
async function expectHeard(t: Awaited<ReturnType<typeof trustingNodes>>): Promise<void> {
  await until('it is served from memory', () => isFromMemory(t.second, t.issued));
  await t.first.ledger.end(t.issued.session.id, { reason: 'signed_out' });
  await until('the end is heard', async () => !(await askNode(t.second, t.issued)).ok);
}

describe('what is in memory', () => {
  test('is believed while heartbeats come back, and an end elsewhere is heard at once', async () => {
    await using t = await trustingNodes(server);
    expect(await isFromMemory(t.second, t.issued)).toBe(false);
    await expectHeard(t);
  });

  test('is not while Redis stands still: devices are looked up, people refused, and both are back by themselves', async () => {
    await using t = await trustingNodes(server, { redis: { lookup_timeout: 300 } });
    expect(await isFromMemory(t.second, t.issued)).toBe(false);
    const { session: device, token } = await openDevice(t.first, t.issued);
    const askDevice = async () => await t.second.ledger.recogniseDevice(device.id);
    expect((await askDevice()).ok).toBe(true);
    server.pause();
    try {
      await until('the second is not trusted', () => !t.second.isTrusted());
      const before = misses(t.second);
      expect(await askNode(t.second, t.issued).catch((error: unknown) => error)).toMatchObject({
        kind: 'unavailable',
        code: 'store_unavailable',
      });
      expect((await askDevice()).ok).toBe(true);
      expect(misses(t.second)).toBe(before + 2);
      // Nobody can tell the second, and it serves it no more all the same.
      await t.first.ledger.end(device.id, { reason: 'unpaired' });
      expect((await askDevice()).ok).toBe(false);
      expect(token).not.toBe('');
    } finally {
      server.resume();
    }
    await isTrustedAgain(t);
    await expectHeard(t);
  });

  test('serves on until its time is over where that is what was asked for', async () => {
    await using t = await trustingNodes(server, {
      redis: { lookup_timeout: 300, consistency: 'best_effort' },
    });
    for (const node of [t.first, t.second]) expect((await askNode(node, t.issued)).ok).toBe(true);
    const unknown = await t.first.signIn(t.issued.session.userId);
    server.pause();
    try {
      await until('the second is not trusted', () => !t.second.isTrusted());
      expect((await askNode(t.second, t.issued)).ok).toBe(true);
      expect(await askNode(t.second, unknown).catch((error: unknown) => error)).toMatchObject({
        code: 'store_unavailable',
      });
      // Nobody can tell of it, but the database knows.
      await t.first.ledger.end(t.issued.session.id, { reason: 'signed_out' });
      expect(await askNode(t.second, t.issued)).toEqual({ ok: false, reason: 'revoked' });
    } finally {
      server.resume();
    }
    await isTrustedAgain(t);
  });

  const LOSSES: readonly (readonly [what: string, lose: () => Promise<unknown>])[] = [
    ['trimmed to nothing', () => server.client().xtrim(EVENTS, 'MAXLEN', 0)],
    ['deleted', () => server.client().del(EVENTS)],
    ['without one of its entries', () => loseOne(EVENTS)],
    ['deleted, and that of devices', () => server.client().del(EVENTS, DEVICE_EVENTS)],
    ['flushed with everything else', () => server.client().flushall()],
    ['moved ahead', () => server.client().xsetid(EVENTS, '99999999999999-0')],
  ];
  test.each(LOSSES)('is forgotten when the stream was %s', async (_what, lose) => {
    await using t = await trustingNodes(server);
    expect((await askNode(t.second, t.issued)).ok).toBe(true);
    const before = resets(t.second, 'events_lost');
    // Added and taken away in one step, so that nobody can have read it.
    await server
      .client()
      .multi()
      .xadd(
        EVENTS,
        '*',
        'kind',
        'user',
        'session_id',
        t.issued.session.id,
        'user_id',
        'x',
        'status',
        'active',
      )
      .xtrim(EVENTS, 'MAXLEN', 0)
      .exec();
    await lose();
    await until('the loss is seen', () => resets(t.second, 'events_lost') > before);
    await isTrustedAgain(t);
    const other = await t.first.signIn(await t.first.addUser());
    await expectHeard({ ...t, issued: other });
  });

  test('is forgotten when an event of a device is lost', async () => {
    await using t = await trustingNodes(server);
    const before = resets(t.second, 'events_lost');
    await loseOne(DEVICE_EVENTS);
    await until('the loss is seen', () => resets(t.second, 'events_lost') > before);
    await isTrustedAgain(t);
  });

  test('is forgotten when the connection was cut, and when Redis was killed without having kept anything', async () => {
    await using t = await trustingNodes(server);
    const before = resets(t.second, 'connection');
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('reading begins anew', () => resets(t.second, 'connection') > before);
    await isTrustedAgain(t);
    await expectHeard(t);

    await server.kill9();
    await server.restart();
    await until('reading begins anew', () => resets(t.second, 'connection') > before + 1);
    await isTrustedAgain(t);
    const other = await t.first.signIn(await t.first.addUser());
    await expectHeard({ ...t, issued: other });
  });

  test('is forgotten when the server was another for a while', async () => {
    await using t = await trustingNodes(server);
    expect((await askNode(t.second, t.issued)).ok).toBe(true);
    const before = resets(t.second, 'server') + resets(t.second, 'connection');
    await server.client().replicaof('127.0.0.1', 1);
    await until('the second is not trusted', () => !t.second.isTrusted());
    await server.client().replicaof('NO', 'ONE');
    await until(
      'reading begins anew',
      () => resets(t.second, 'server') + resets(t.second, 'connection') > before,
    );
    await isTrustedAgain(t);
    await expectHeard(t);
  });

  test('goes by what the database says, also where Redis never tells of it', async () => {
    // Long past what this test takes: nothing but the database can make it refuse.
    await using t = await trustingNodes(server, { redis: { heartbeat_timeout: 600_000 } });
    const audience = hostAudience('app.home');
    const { session, token } = await t.first.db.write((tx) =>
      t.first.ledger.openPersonalToken(tx, {
        issuedBy: t.issued.session.id,
        label: 'backup',
        audience: [audience],
        expiresAt: t.first.clock.now() + 3_600_000,
        origin: t.issued.session.origin,
      }),
    );
    const isGood = async () => (await t.second.ledger.authenticate(token, 'personal', audience)).ok;
    expect(await isGood()).toBe(true);
    const closed: string[] = [];
    using _stream = t.second.ledger.attach(session.id, (reason) => void closed.push(reason));
    // As by somebody who takes the event from the stream before it is read, and has the stream say that nothing is missing.
    const rows = outboxStore(t.first.db);
    await t.first.db.write((tx) => {
      tx.update(sessions).set({ status: 'revoked' }).where(eq(sessions.id, session.id)).run();
      const at = t.first.clock.now();
      rows.markPublished(tx, rows.insert(tx, [{ change: 'revoked', session }], at), at);
    });
    await until('what hangs on it is closed', () => closed.length > 0);
    expect(closed).toEqual(['revoked_elsewhere']);
    expect(await isGood()).toBe(false);
    expect(t.second.isTrusted()).toBe(true);
  });

  test('is not believed while something that was committed is not published', async () => {
    await using t = await trustingNodes(server);
    const { session } = t.issued;
    // As by a process that died in between.
    await t.first.db.write((tx) =>
      outboxStore(t.first.db).insert(tx, [{ change: 'changed', session }], Date.now()),
    );
    await until('neither is trusted', () => !t.first.isTrusted() && !t.second.isTrusted());
    await until('another publishes it', async () => {
      await t.second.ledger.sweepOutbox();
      return t.first.isTrusted() && t.second.isTrusted();
    });
    expect(outboxStore(t.first.db).after(0, 10)).toEqual([]);
  });
});

describe('everything of a person that is ended while Redis stands still', () => {
  test('is over where it was asked for, and everywhere once Redis answers', async () => {
    await using t = await trustingNodes(server, { redis: { lookup_timeout: 300 } });
    const { userId } = t.issued.session;
    const unseen = await t.second.signIn(userId);
    expect((await askNode(t.first, t.issued)).ok).toBe(true);
    expect((await askNode(t.second, t.issued)).ok).toBe(true);
    expect((await askNode(t.second, unseen)).ok).toBe(true);
    const closed: string[] = [];
    using _live = t.second.ledger.attach(t.issued.session.id, (reason) => void closed.push(reason));
    using _other = t.second.ledger.attach(unseen.session.id, (reason) => void closed.push(reason));
    server.pause();
    try {
      await t.first.ledger.endAll(userId, { reason: 'everywhere' });
      const answer = await askNode(t.first, t.issued).catch((error: unknown) => error);
      expect(answer).not.toMatchObject({ ok: true });
    } finally {
      server.resume();
    }
    await until('what hung on both is closed', () => closed.length === 2);
    expect(closed).toEqual(['everywhere', 'everywhere']);
    for (const each of [t.issued, unseen]) expect((await askNode(t.second, each)).ok).toBe(false);
    await until('nothing is owed', () => outboxStore(t.first.db).oldest() === undefined);
    const later = await t.first.signIn(userId);
    expect((await askNode(t.second, later)).ok).toBe(true);
  });
});

/** Somebody takes out an entry that was never read. */
async function loseOne(stream: string): Promise<void> {
  const client = server.client();
  await client.multi().xadd(stream, '99999999999998-1', 'a', 'b').xdel(stream, '99999999999998-1').exec();
}

async function openDevice({ db, ledger }: SessionNode, { session: { userId } }: Issued) {
  return await db.write((tx) =>
    ledger.openDevice(tx, {
      userId,
      issuedBy: undefined,
      deviceId: 'dev_1',
      clientPublicKey: Buffer.alloc(32, 7).toString('base64url'),
      label: 'a device',
      origin: { provider: undefined, providerSid: undefined, address: '192.0.2.1', userAgent: 'test' },
    }),
  );
}

describe('ending', () => {
  test('takes less than a second however long a read may wait, and twice is harmless', async () => {
    await using t = await trustingNodes(server, {
      redis: { read_block_timeout: 30_000, heartbeat_timeout: 60_000 },
    });
    const another = await t.another();
    await until('it reads', () => another.isTrusted());
    const startedAt = performance.now();
    await another.ledger[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await another.ledger[Symbol.asyncDispose]();
    await another[Symbol.asyncDispose]();
  });

  test('takes little more than a second while Redis stands still', async () => {
    await using t = await trustingNodes(server);
    const another = await t.another();
    server.pause();
    const startedAt = performance.now();
    try {
      await another[Symbol.asyncDispose]();
    } finally {
      server.resume();
    }
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });
});
