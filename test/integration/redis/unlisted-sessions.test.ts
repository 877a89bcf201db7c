import { afterAll, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { users } from '../../../src/db/schema/index.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import { childrenKey, sessionKey, userKey } from '../../../src/sessions/store-scripts-redis.ts';
import { startRedis } from '../../support/redis-server.ts';
import { type SessionNode, sessionNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

const server = await startRedis();
afterAll(() => server[Symbol.asyncDispose]());

async function ask({ ledger }: SessionNode, { session, token }: Issued): Promise<boolean> {
  const [audience] = session.audience;
  if (audience === undefined) throw new Error('a session without an audience');
  return (await ledger.authenticate(token, 'cookie', audience)).ok;
}

/** Two processes, and somebody with a browser session and a child of it, which the second alone has in memory. */
async function withMemory() {
  await using opening = new AsyncDisposableStack();
  await server.client().flushall();
  const nodes = opening.use(await sessionNodes(server));
  const { first, second } = nodes;
  await until('both are trusted', () => first.isTrusted() && second.isTrusted());
  const userId = await first.addUser();
  const parent = await first.signIn(userId);
  const origin = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
  const child = await first.db.write((tx) =>
    first.ledger.openChildSession(tx, { parentId: parent.session.id, host: 'app.example.test', origin }),
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
