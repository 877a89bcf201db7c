import { describe, expect, test } from 'bun:test';
import { eventCarrier, type OutgoingEvent } from '../../../src/sessions/event-carrier.ts';
import type { Session, SessionId } from '../../../src/sessions/model.ts';
import { ownEvents } from '../../../src/sessions/own-events.ts';
import {
  type Everywhere,
  type OutboxMessage,
  type OutboxRow,
  outboxStore,
} from '../../../src/sessions/store-outbox.ts';
import { temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A carrier over real rows whose Redis does what the test says. */
async function carrying() {
  const t = temporaryLedger();
  const { session } = await t.signIn(await t.addUser());
  const rows = outboxStore(t.db);
  const own = ownEvents();
  const sent: string[][] = [];
  const failures: unknown[] = [];
  const everywhere: Everywhere[] = [];
  const redis = {
    publish: async (events: readonly OutgoingEvent[]): Promise<boolean[]> => events.map(() => true),
  };
  const database = { isFull: false };
  const evicted: string[] = [];
  let published = 0;
  const carrier = eventCarrier({
    here: {
      outbox: rows,
      cache: { evict: (id) => void evicted.push(id) },
      settleRows: async (ids) => {
        if (database.isFull) throw new Error('full');
        await t.db.write((tx) => rows.markPublished(tx, ids, t.clock.now()));
      },
      activeOf: async () => [session, named('of-person')],
      endEverywhere: async (owed) => void everywhere.push(owed),
    },
    own,
    publish(events) {
      sent.push(events.map(({ fields }) => fields[fields.indexOf('session_id') + 1] ?? ''));
      return redis.publish(events);
    },
    clock: t.clock,
    onFailure: (error) => void failures.push(error),
    published: { inc: (count = 1) => void (published += count) },
  });
  const named = (id: string): Session => ({ ...session, id: id as SessionId });
  const insert = async (...messages: OutboxMessage[]): Promise<OutboxRow[]> => {
    const at = t.clock.now();
    const ids = await t.db.write((tx) => rows.insert(tx, messages, at));
    return messages.map((message, index) => ({ id: ids[index] ?? 0, at, message }));
  };
  const ended = (id: string): OutboxMessage => ({ change: 'revoked', session: named(id) });
  return {
    t,
    carrier,
    redis,
    database,
    own,
    sent,
    failures,
    everywhere,
    evicted,
    ended,
    insert,
    named,
    published: () => published,
    left: () => rows.after(0, 10_000).length,
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
}

describe('rows of the outbox', () => {
  test('of one turn go out together, in their order, and wait no longer', async () => {
    await using c = await carrying();
    const rows = await c.insert(c.ended('a'), c.ended('b'), c.ended('c'));
    for (const row of rows) c.carrier.carry([row]);
    await c.carrier.settled();
    expect(c.sent).toEqual([['a', 'b', 'c']]);
    expect([c.left(), c.published()]).toEqual([0, 3]);
  });

  test('that Redis did not take stay, and are told at the next occasion, with what came since', async () => {
    await using c = await carrying();
    c.redis.publish = () => Promise.reject(new Error('away'));
    c.carrier.carry(await c.insert(c.ended('a'), c.ended('b')));
    await c.carrier.settled();
    expect([c.left(), c.failures.length]).toEqual([2, 1]);
    c.redis.publish = async (events) => events.map((_, index) => index === 0);
    c.carrier.retry();
    await c.carrier.settled();
    expect([c.left(), c.published()]).toEqual([1, 1]);
    c.redis.publish = async (events) => events.map(() => true);
    c.carrier.retry();
    c.carrier.carry(await c.insert(c.ended('c')));
    await c.carrier.settled();
    expect(c.sent.slice(2).flat().toSorted()).toEqual(['b', 'c']);
    expect(c.left()).toBe(0);
  });

  test('of which it could not be noted that they are told are told once all the same', async () => {
    await using c = await carrying();
    c.database.isFull = true;
    const rows = await c.insert(c.ended('a'));
    c.carrier.carry(rows);
    await c.carrier.settled();
    c.carrier.carry(rows);
    await (c.t.clock as ManualClock).advance(2_000);
    c.carrier.sweep();
    await c.carrier.settled();
    expect([c.left(), c.sent.length]).toEqual([1, 1]);
    c.database.isFull = false;
    c.carrier.retry();
    await c.carrier.settled();
    expect([c.left(), c.sent.length]).toEqual([0, 1]);
  });

  test('that another process has left are taken once they are a second old, all of them', async () => {
    await using c = await carrying();
    await c.insert(...Array.from({ length: 1_234 }, (_, index) => c.ended(`s${index}`)));
    c.carrier.sweep();
    await c.carrier.settled();
    expect(c.sent).toEqual([]);
    await (c.t.clock as ManualClock).advance(1_000);
    c.carrier.sweep();
    c.carrier.sweep();
    await c.carrier.settled();
    expect(c.sent.flat()).toEqual(Array.from({ length: 1_234 }, (_, index) => `s${index}`));
    expect(c.left()).toBe(0);
  });

  test('that another process has left are taken also where the wall clock was set back since', async () => {
    await using c = await carrying();
    const clock = c.t.clock as ManualClock;
    await c.insert(c.ended('a'));
    clock.setWall(clock.now() - 3_600_000);
    c.carrier.sweep();
    await clock.advance(1_000);
    await c.insert(c.ended('b'));
    c.carrier.sweep();
    await c.carrier.settled();
    expect(c.sent).toEqual([['a']]);
  });

  test('of a person become an event for all of theirs, and one for each session', async () => {
    await using c = await carrying();
    c.carrier.carry(await c.insert({ person: c.named('x').userId }));
    await c.carrier.settled();
    expect(c.sent.flat()).toEqual([c.named('x').userId, expect.stringMatching(/^ses_/), 'of-person']);
    expect(c.left()).toBe(0);
  });

  test('of an everywhere end what it owes, and stay until that is done', async () => {
    await using c = await carrying();
    const owed: Everywhere = { userId: c.named('x').userId, before: 5, reason: 'everywhere' };
    c.carrier.carry(await c.insert({ everywhere: owed }));
    await c.carrier.settled();
    expect(c.everywhere).toEqual([owed]);
    expect(c.left()).toBe(0);
  });
});

describe('what a process has sent itself', () => {
  const event = { id: 'a' as SessionId, status: 'active' } as const;

  test('is known when it comes back, as often as it was sent', () => {
    const own = ownEvents();
    own.sent([event, event]);
    expect([own.takeBack(event), own.takeBack(event), own.takeBack(event)]).toEqual([true, true, false]);
    expect(own.takeBack({ ...event, status: 'revoked' })).toBe(false);
  });

  test('is anybody’s where it is not known whether it comes back', async () => {
    await using c = await carrying();
    c.redis.publish = () => Promise.reject(new Error('away'));
    c.carrier.announce([c.named('a')]);
    await c.carrier.settled();
    await Promise.resolve();
    expect(c.own.takeBack({ id: 'a' as SessionId, status: 'active' })).toBe(false);
  });

  test('is read again where it could not be sent, for what came back meanwhile was of somebody else', async () => {
    await using c = await carrying();
    c.redis.publish = async (events) => {
      expect(c.own.takeBack({ id: 'b' as SessionId, status: 'active' })).toBe(true);
      return events.map((_, index) => index === 0);
    };
    c.carrier.carry(
      await c.insert(
        { change: 'changed', session: c.named('a') },
        { change: 'changed', session: c.named('b') },
      ),
    );
    await c.carrier.settled();
    expect(c.evicted).toEqual(['b']);
  });
});
