import { afterAll, expect, test } from 'bun:test';
import { sessionEventStreams } from '../../../src/sessions/events-streams.ts';
import { eventStreamReader } from '../../support/event-stream-reader.ts';
import { startRedis } from '../../support/redis-server.ts';
import { type SessionNode, sessionNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';

const server = await startRedis();
afterAll(() => server[Symbol.asyncDispose]());

function streamsOf({ ledger }: SessionNode) {
  return sessionEventStreams({
    ledger,
    events: ledger.events,
    describe: ({ id }) => ({ id }),
    maxStreamsPerUser: 10,
    tooSlow: { inc: () => undefined },
  });
}

test('a stream of events tells, in every process and once, what begins and ends in any', async () => {
  await using nodes = await sessionNodes(server);
  const { first, second } = nodes;
  await until('both are trusted', () => first.isTrusted() && second.isTrusted());
  const userId = await first.addUser();
  const { session } = await first.signIn(userId);
  using streams = streamsOf(first);
  using streamsThere = streamsOf(second);
  const here = eventStreamReader(new Response((await streams.open(session)).body));
  const there = eventStreamReader(new Response((await streamsThere.open(session)).body));
  const other = await first.signIn(userId);
  for (const reader of [here, there])
    expect(await reader.event()).toEqual({ event: 'created', data: { id: other.session.id } });
  // A change of the person makes an event of every session, and nothing to tell.
  await first.db.write((tx) => first.ledger.userChanged(tx, userId));
  await second.ledger.end(other.session.id, { reason: 'ended_by_user' });
  for (const reader of [here, there])
    expect(await reader.event()).toEqual({ event: 'revoked', data: { id: other.session.id } });
  await second.ledger.end(session.id, { reason: 'signed_out' });
  for (const reader of [here, there]) {
    const events = [await reader.event(), await reader.event()];
    expect(events).toContainEqual({ event: 'end', data: { reason: 'signed_out' } });
  }
});
