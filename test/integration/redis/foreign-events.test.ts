import { afterAll, describe, expect, test } from 'bun:test';
import { hostAudience } from '../../../src/sessions/audience.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import type { SessionSnapshot } from '../../../src/sessions/model.ts';
import { startRedis } from '../../support/redis-server.ts';
import { askNode, figureIn, type SessionNode, trustingNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

const server = await startRedis();
afterAll(() => server[Symbol.asyncDispose]());
const EVENTS = 'postern:events';
const DEVICE_EVENTS = 'postern:device-sessions';
const FROM = { provider: undefined, providerSid: undefined, address: '192.0.2.1', userAgent: 'test' };
const KEY = Buffer.alloc(32, 7);

/** Whether a look at the session was answered from memory. */
async function isFromMemory(node: SessionNode, issued: Issued): Promise<boolean> {
  const misses = () => figureIn(node.metrics, 'postern_session_cache_misses_total');
  const before = misses();
  expect((await askNode(node, issued)).ok).toBe(true);
  return misses() === before;
}

const say = (stream: string, fields: Record<string, string | Buffer>) =>
  server.client().xadd(stream, '*', ...Object.entries(fields).flat());
const sayOf = ({ session }: Pick<Issued, 'session'>, status: string, more: Record<string, string> = {}) =>
  say(EVENTS, { kind: session.kind, session_id: session.id, user_id: session.userId, status, ...more });
const sayOfDevice = ({ session }: Pick<Issued, 'session'>, status: string, key: Buffer = KEY) =>
  say(DEVICE_EVENTS, {
    device_session_id: session.id,
    user_id: session.userId,
    client_public_key: key.toString('base64'),
    status,
  });

async function openChild({ db, ledger }: SessionNode, { session }: Issued): Promise<Issued> {
  return await db.write((tx) =>
    ledger.openChildSession(tx, { parentId: session.id, host: 'app.example.test', origin: FROM }),
  );
}

async function openToken({ db, ledger }: SessionNode, { session }: Issued): Promise<Issued> {
  const audience = [hostAudience('app.example.test')];
  const expiresAt = Date.now() + 3_600_000;
  return await db.write((tx) =>
    ledger.openPersonalToken(tx, { issuedBy: session.id, label: 'x', audience, expiresAt, origin: FROM }),
  );
}

async function openDevice({ db, ledger }: SessionNode, { session: { userId } }: Issued): Promise<Issued> {
  return await db.write((tx) =>
    ledger.openDevice(tx, {
      userId,
      issuedBy: undefined,
      deviceId: 'dev_1',
      clientPublicKey: KEY.toString('base64url'),
      label: 'a device',
      origin: FROM,
    }),
  );
}

const dropped = (node: SessionNode, reason: string, component = 'events_stream') =>
  node.figure(`postern_session_events_dropped_total{component="${component}",reason="${reason}"}`);

describe('another program that says a session is over', () => {
  const KINDS = [
    ['of a browser', async (_node: SessionNode, issued: Issued) => issued],
    ['of a host', openChild],
    ['of a token', openToken],
  ] as const;
  test.each(KINDS)('ends one %s, for every process and for good', async (_what, make) => {
    await using t = await trustingNodes(server);
    const issued = await make(t.first, t.issued);
    expect((await askNode(t.second, issued)).ok).toBe(true);
    const closed: string[] = [];
    using _live = t.second.ledger.attach(issued.session.id, (reason) => void closed.push(reason));
    await sayOf(issued, 'revoked', { revoked_at_ms: '5' });
    await until('the second refuses it', async () => !(await askNode(t.second, issued)).ok);
    await until('the first refuses it', async () => !(await askNode(t.first, issued)).ok);
    await until(
      'it is in the database',
      () => t.first.ledger.findDurable(issued.session.id)?.status === 'revoked',
    );
    const session = t.first.ledger.findDurable(issued.session.id);
    expect(session).toMatchObject({ revokeReason: 'revoked_elsewhere', userId: issued.session.userId });
    expect(session?.revokedAt).toBeGreaterThan(issued.session.createdAt - 1);
    await until('what hung on it is closed', () => closed.length > 0);
    expect(closed).toEqual(['revoked_elsewhere']);
    const rows = t.first.auditStore
      .list({ limit: 50 })
      .filter(({ sessionId }) => sessionId === issued.session.id);
    expect(rows.map(({ detail }) => detail)).toContainEqual(
      expect.objectContaining({ reason: 'revoked_elsewhere' }),
    );
  });

  test('ends a device, and what it says of its key changes nothing', async () => {
    await using t = await trustingNodes(server);
    const issued = await openDevice(t.first, t.issued);
    expect(await t.second.ledger.recogniseDevice(issued.session.id)).toMatchObject({ ok: true });
    await sayOfDevice(issued, 'revoked', Buffer.alloc(32, 1));
    await until('it is over', async () => !(await t.second.ledger.recogniseDevice(issued.session.id)).ok);
    await until(
      'it is in the database',
      () => t.first.ledger.findDurable(issued.session.id)?.status === 'revoked',
    );
    expect(t.first.ledger.findDurable(issued.session.id)).toMatchObject({
      clientPublicKey: KEY.toString('base64url'),
      revokeReason: 'revoked_elsewhere',
    });
  });

  test('ends what came from it as well', async () => {
    await using t = await trustingNodes(server);
    const child = await openChild(t.first, t.issued);
    expect((await askNode(t.second, child)).ok).toBe(true);
    await sayOf(t.issued, 'revoked');
    await until('the child is over', async () => !(await askNode(t.second, child)).ok);
    await until(
      'with its reason',
      () => t.first.ledger.findDurable(child.session.id)?.revokeReason === 'parent_ended',
    );
  });

  test('may name what is nowhere: nothing comes of it', async () => {
    await using t = await trustingNodes(server);
    for (const id of [`ses_${'a'.repeat(26)}`, 'ses_', '__proto__', 'x', ` ${t.issued.session.id}`])
      await say(EVENTS, { kind: 'user', session_id: id, user_id: 'x', status: 'revoked' });
    const other = await openChild(t.first, t.issued);
    await sayOf(other, 'revoked');
    await until('what follows is applied', async () => !(await askNode(t.second, other)).ok);
    expect((await askNode(t.second, t.issued)).ok).toBe(true);
    expect(dropped(t.second, 'malformed_event') + dropped(t.second, 'store_failure')).toBe(0);
  });

  test('is told once, with who and why from the store', async () => {
    await using t = await trustingNodes(server);
    const told: SessionSnapshot[] = [];
    using _hearing = t.second.ledger.events.subscribe((snapshots) => told.push(...snapshots));
    for (let times = 0; times < 5; times++)
      await say(EVENTS, {
        kind: 'grant',
        session_id: t.issued.session.id,
        user_id: 'usr_x',
        status: 'revoked',
      });
    await until('it is told', () => told.some(({ change }) => change === 'revoked'));
    const other = await t.first.signIn(t.issued.session.userId);
    await t.first.ledger.end(other.session.id, { reason: 'signed_out' });
    await until('what follows is told', () =>
      told.some(({ session }) => session.id === other.session.id && session.status === 'revoked'),
    );
    const ends = told.filter(
      ({ change, session }) => change === 'revoked' && session.id === t.issued.session.id,
    );
    expect(ends).toMatchObject([
      { session: { kind: 'user', userId: t.issued.session.userId, revokeReason: 'revoked_elsewhere' } },
    ]);
  });
});

describe('another program that says a session is active', () => {
  test('brings back none that ended, and gives nobody anything', async () => {
    await using t = await trustingNodes(server);
    const device = await openDevice(t.first, t.issued);
    await t.second.ledger.recogniseDevice(device.session.id);
    await t.first.ledger.end(t.issued.session.id, { reason: 'signed_out' });
    await until('it is over', async () => !(await askNode(t.second, t.issued)).ok);
    await sayOf(t.issued, 'active');
    await say(EVENTS, {
      kind: 'grant',
      session_id: t.issued.session.id,
      user_id: 'usr_mallory',
      status: 'active',
    });
    await sayOfDevice(device, 'active', Buffer.alloc(32, 1));
    const marker = await t.first.signIn(t.issued.session.userId);
    await sayOf(marker, 'revoked');
    await until('all of it is applied', async () => !(await askNode(t.second, marker)).ok);
    expect((await askNode(t.second, t.issued)).ok).toBe(false);
    expect(await t.second.ledger.recogniseDevice(device.session.id)).toMatchObject({
      ok: true,
      publicKey: KEY.toString('base64url'),
      user: { id: device.session.userId },
    });
  });
});

describe('an event that is not understood', () => {
  test('is counted, logged with its id, and the session that it names is read again', async () => {
    await using t = await trustingNodes(server);
    await say(DEVICE_EVENTS, { device_session_id: '', status: 'x' });
    await until(
      'the one of a device is counted',
      () => dropped(t.second, 'malformed_event', 'device_events_stream') === 1,
    );
    await until('it is in memory', () => isFromMemory(t.second, t.issued));
    const id = await say(EVENTS, { session_id: t.issued.session.id, status: 'revoked' });
    await until('the other is counted', () => dropped(t.second, 'malformed_event') === 1);
    expect(await isFromMemory(t.second, t.issued)).toBe(false);
    expect(t.second.said).toContainEqual({
      level: 'warn',
      message: 'an event of sessions was dropped',
      fields: { stream: 'sessions', event: id, reason: 'malformed_event', problem: 'kind is missing' },
    });
    await until('it is trusted', () => t.second.isTrusted());
  });

  test('fills no log', async () => {
    await using t = await trustingNodes(server);
    const pipeline = server.client().pipeline();
    for (let each = 0; each < 500; each++) pipeline.xadd(EVENTS, '*', 'kind', `k${each}`);
    await pipeline.exec();
    await until('all are counted', () => dropped(t.second, 'malformed_event') === 500);
    expect(t.second.said.filter(({ message }) => message === 'an event of sessions was dropped').length).toBe(
      60,
    );
  });
});

describe('people', () => {
  test('are read again by every process when something about them changes', async () => {
    await using t = await trustingNodes(server);
    const device = await openDevice(t.first, t.issued);
    expect(await askNode(t.second, t.issued)).toMatchObject({ user: { role: 'member' } });
    expect(await t.second.ledger.recogniseDevice(device.session.id)).toMatchObject({
      user: { role: 'member' },
    });
    const { userId } = t.issued.session;
    const { userStore } = await import('../../../src/users/store.ts');
    await t.first.db.write((tx) => {
      userStore(t.first.db).update(tx, userId, { role: 'owner' });
      t.first.ledger.userChanged(tx, userId);
    });
    await until('the second knows', async () => {
      const answer = await askNode(t.second, t.issued);
      return answer.ok && answer.user.role === 'owner';
    });
    await until('of the device too', async () => {
      const answer = await t.second.ledger.recogniseDevice(device.session.id);
      return answer.ok && answer.user.role === 'owner';
    });
  });
});
