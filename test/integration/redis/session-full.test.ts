import { expect, test } from 'bun:test';
import { errorOf } from '../../support/error-of.ts';
import { startRedis } from '../../support/redis-server.ts';
import { askNode, sessionNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

test('while the memory of Redis is full, who is signed in goes on, nobody signs in, and what is ended stays ended', async () => {
  await using server = await startRedis();
  await using nodes = await sessionNodes(server);
  const { first, second } = nodes;
  const userId = await first.addUser();
  const [staying, leaving] = [await first.signIn(userId), await first.signIn(userId)];
  const ask = async (issued: typeof staying, node = second) => (await askNode(node, issued)).ok;
  expect([await ask(staying), await ask(leaving)]).toEqual([true, true]);

  await server.client().config('SET', 'maxmemory', '1');
  await until('neither is trusted', () => !first.isTrusted() && !second.isTrusted());
  expect([await ask(staying), await ask(staying, first)]).toEqual([true, true]);
  expect(await errorOf(first.redis.check())).toHaveProperty('message', 'its memory is full (maxmemory)');
  expect(await errorOf(first.signIn(userId))).toMatchObject({
    kind: 'unavailable',
    code: 'store_unavailable',
  });
  await first.ledger.end(leaving.session.id, { reason: 'signed_out' });
  expect([await ask(leaving, first), await ask(leaving), await ask(staying)]).toEqual([false, false, true]);

  await server.client().config('SET', 'maxmemory', '0');
  await until('both are trusted again', () => first.isTrusted() && second.isTrusted());
  expect([await ask(leaving), await ask(staying), await ask(await first.signIn(userId))]).toEqual([
    false,
    true,
    true,
  ]);
});
