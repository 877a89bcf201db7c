import { afterAll, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { users } from '../../../src/db/schema/index.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import {
  childrenKey,
  providerSidKey,
  sessionKey,
  userKey,
} from '../../../src/sessions/store-scripts-redis.ts';
import { providerSidDigest } from '../../../src/sessions/store-values-redis.ts';
import { startRedis } from '../../support/redis-server.ts';
import { askNode, type SessionNode, sessionNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

const server = await startRedis();
afterAll(() => server[Symbol.asyncDispose]());

const NOWHERE = {
  provider: undefined,
  providerSid: undefined,
  address: undefined,
  userAgent: undefined,
};

const ask = async (node: SessionNode, issued: Issued) => (await askNode(node, issued)).ok;

/** Two processes, and somebody with a browser session and a child of it, which the second alone has in memory. */
async function withMemory() {
  await using opening = new AsyncDisposableStack();
  await server.client().flushall();
  const nodes = opening.use(await sessionNodes(server));
  const { first, second } = nodes;
  await until('both are trusted', () => first.isTrusted() && second.isTrusted());
  const userId = await first.addUser();
  const parent = await first.signIn(userId);
  const child = await first.db.write((tx) =>
    first.ledger.openChildSession(tx, {
      parentId: parent.session.id,
      host: 'app.example.test',
      origin: NOWHERE,
    }),
  );
  for (const each of [parent, child]) expect(await ask(second, each)).toBe(true);
  const opened = opening.move();
  return { first, second, userId, parent, child, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

describe('what Redis has lost, or somebody has taken from it, and memory still holds', () => {
  test('a child that no list names ends with its parent, and what hangs on it', async () => {
    await using t = await withMemory();
    const { id } = t.parent.session;
    await server.client().del(childrenKey(id), userKey(t.userId));
    const closed: string[] = [];
    using _stream = t.second.ledger.attach(t.child.session.id, (reason) => void closed.push(reason));
    await t.first.ledger.end(id, { reason: 'signed_out' });
    await until('the second refuses the child', async () => !(await ask(t.second, t.child)));
    expect(closed).toEqual(['parent_ended']);
  });

  test('sessions that no list names end with "everywhere"', async () => {
    await using t = await withMemory();
    const keys = await server.client().keys('postern:*');
    // But for the streams, whose loss is noticed.
    await server
      .client()
      .del(...keys.filter((key) => !key.endsWith('events') && !key.endsWith('device-sessions')));
    expect(await ask(t.second, t.child)).toBe(true);
    await t.first.ledger.endAll(t.userId, { reason: 'everywhere' });
    await until('the second refuses both', async () => {
      const answers = await Promise.all([ask(t.second, t.parent), ask(t.second, t.child)]);
      return !answers.includes(true);
    });
  });

  test('one that is lost can be signed out of for good where it is remembered', async () => {
    await using t = await withMemory();
    const { id } = t.parent.session;
    const copy = await server.client().dumpBuffer(sessionKey(id));
    await server.client().del(sessionKey(id));
    expect(await t.second.ledger.end(id, { reason: 'signed_out' })).toBe(true);
    expect(await t.first.ledger.find(id)).toMatchObject({ status: 'revoked', revokeReason: 'signed_out' });
    // An older copy comes back.
    await server.client().restore(sessionKey(id), 0, copy);
    expect([await ask(t.first, t.parent), await ask(t.second, t.parent)]).toEqual([false, false]);
    expect(await ask(t.first, t.child)).toBe(false);
  });

  test('what began with a guest link ends with it', async () => {
    await using t = await withMemory();
    const expiresAt = t.first.clock.now() + 3_600_000;
    const device = await t.first.db.write((tx) =>
      t.first.ledger.openDevice(tx, {
        userId: t.userId,
        issuedBy: undefined,
        deviceId: 'dev_of_a_test',
        clientPublicKey: 'key',
        label: 'lamp',
        origin: NOWHERE,
      }),
    );
    const parentId = device.session.id;
    const begin = (linkId: string) =>
      t.first.db.write((tx) =>
        t.first.ledger.openGuestSession(tx, {
          parentId,
          linkId,
          host: 'lamp.home',
          expiresAt,
          origin: NOWHERE,
        }),
      );
    const [ended, other] = [await begin('gst_ended'), await begin('gst_other')];
    for (const each of [ended, other]) expect(await ask(t.second, each)).toBe(true);
    await server.client().del(childrenKey(parentId), userKey(t.userId));
    await t.first.db.write((tx) =>
      t.first.ledger.endGuestsIn(
        tx,
        { parentId, linkId: 'gst_ended', expiresAt },
        { reason: 'guest_link_ended' },
      ),
    );
    expect(await ask(t.first, ended)).toBe(false);
    await until('the second refuses the guest', async () => !(await ask(t.second, ended)));
    expect(await t.first.ledger.find(ended.session.id)).toMatchObject({
      status: 'revoked',
      revokeReason: 'guest_link_ended',
    });
    expect([await ask(t.first, other), await ask(t.second, other)]).toEqual([true, true]);
  });

  test('a browser session ends with the session at the provider that it came from, and a later one does not', async () => {
    await using t = await withMemory();
    const signIn = () =>
      t.first.db.write((tx) =>
        t.first.ledger.openBrowserSession(tx, {
          userId: t.userId,
          origin: { ...NOWHERE, provider: 'home', providerSid: 'sid-1' },
        }),
      );
    const ended = await signIn();
    expect(await ask(t.second, ended)).toBe(true);
    await server.client().del(providerSidKey(providerSidDigest('home', 'sid-1')), userKey(t.userId));
    await t.first.db.write((tx) =>
      t.first.ledger.endProviderSessionIn(
        tx,
        { provider: 'home', sid: 'sid-1', userId: t.userId },
        { reason: 'provider_logout' },
      ),
    );
    expect(await ask(t.first, ended)).toBe(false);
    await until('the second refuses it', async () => !(await ask(t.second, ended)));
    const endedAt = t.first.clock.now();
    await until('time goes on', () => t.first.clock.now() > endedAt);
    const later = await signIn();
    expect([await ask(t.first, later), await ask(t.second, later)]).toEqual([true, true]);
  });

  test('somebody who is another person now is so in every memory', async () => {
    await using t = await withMemory();
    await server.client().del(userKey(t.userId));
    await t.first.db.write((tx) => {
      tx.update(users).set({ status: 'disabled' }).where(eq(users.id, t.userId)).run();
      t.first.ledger.userChanged(tx, t.userId);
    });
    await until('the second refuses both', async () => {
      const answers = await Promise.all([ask(t.second, t.parent), ask(t.second, t.child)]);
      return !answers.includes(true);
    });
  });
});
