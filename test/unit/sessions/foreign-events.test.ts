import { describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import type { HereParts } from '../../../src/sessions/elsewhere.ts';
import { encodeEvent, encodePerson } from '../../../src/sessions/event-wire.ts';
import { inProcessSessionEvents } from '../../../src/sessions/events.ts';
import { type DropReason, foreignEvents } from '../../../src/sessions/foreign-events.ts';
import type { Session, SessionId, SessionSnapshot } from '../../../src/sessions/model.ts';
import { ownEvents } from '../../../src/sessions/own-events.ts';
import { outboxStore } from '../../../src/sessions/store-outbox.ts';
import { temporaryLedger } from '../../support/ledger.ts';
import { settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const outage = () => new AppError('unavailable', 'store_unavailable', 'Away.');

/** What comes from outside, applied to parts that write down what is done to them. */
async function applying() {
  const t = temporaryLedger();
  const { session } = await t.signIn(await t.addUser());
  const done: string[] = [];
  const dropped: string[] = [];
  const told: SessionSnapshot[] = [];
  const log = recordedLog();
  const events = inProcessSessionEvents(log, { inc: () => undefined });
  const own = ownEvents();
  const finding = { of: async (_id: SessionId): Promise<Session | undefined> => undefined };
  const durable = { of: (_id: SessionId): Session | undefined => undefined };
  const here: HereParts = {
    cache: {
      revoke: (id) => void done.push(`revoke ${id}`),
      evict: (id) => void done.push(`evict ${id}`),
      evictUser: (id) => void done.push(`evict user ${id}`),
      clear: () => undefined,
    },
    live: { close: (id, reason) => void done.push(`close ${id} ${reason}`), has: () => false },
    events,
    outbox: outboxStore(t.db),
    eventServer: { find: () => undefined, put: async () => undefined },
    settleRows: async () => undefined,
    findDurable: (id) => durable.of(id),
    find: (id) => finding.of(id),
    activeOf: async () => [],
    endForeign: async (id) => void done.push(`end ${id}`),
    endEverywhere: async () => undefined,
    catchUp: async () => undefined,
  };
  const foreign = foreignEvents({
    here,
    own,
    dropped: (stream, reason: DropReason) => ({ inc: () => void dropped.push(`${stream} ${reason}`) }),
    clock: t.clock,
    log,
  });
  let entries = 0;
  const say = (status: string, id: string = session.id, kind = 'user') => ({
    stream: 'sessions' as const,
    id: `${++entries}-0`,
    fields: ['kind', kind, 'session_id', id, 'user_id', session.userId, 'status', status],
  });
  return {
    session,
    foreign,
    own,
    events,
    finding,
    durable,
    done,
    dropped,
    told,
    log,
    say,
    hear: (wants: boolean) =>
      events.subscribe(
        (snapshots) => told.push(...snapshots),
        () => wants,
      ),
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
}

describe('what comes from outside', () => {
  test('is applied to memory before anything is asked, in its order', async () => {
    await using a = await applying();
    a.finding.of = () => new Promise(() => undefined);
    const other = `ses_${'b'.repeat(26)}`;
    void a.foreign.apply([a.say('revoked'), a.say('active', other), a.say('revoked', other)]);
    expect(a.done).toEqual([
      `revoke ${a.session.id}`,
      `close ${a.session.id} revoked_elsewhere`,
      `evict ${other}`,
      `revoke ${other}`,
      `close ${other} revoked_elsewhere`,
    ]);
  });

  test('ends what the store still holds, and nothing that it does not', async () => {
    await using a = await applying();
    a.finding.of = async (id) => (id === a.session.id ? a.session : undefined);
    void a.foreign.apply([a.say('revoked'), a.say('revoked', `ses_${'b'.repeat(26)}`)]);
    await a.foreign.settled();
    expect(a.done.filter((each) => each.startsWith('end'))).toEqual([`end ${a.session.id}`]);
  });

  test('that the database knows of already is told at once, with its reason, and once', async () => {
    await using a = await applying();
    using _hearing = a.hear(false);
    const ended: Session = { ...a.session, status: 'revoked', revokedAt: 5, revokeReason: 'signed_out' };
    a.durable.of = () => ended;
    void a.foreign.apply([a.say('revoked'), a.say('revoked')]);
    expect(a.told).toEqual([{ change: 'revoked', session: ended }]);
    expect(a.done).not.toContain(`close ${a.session.id} revoked_elsewhere`);
  });

  test('is not looked up where nobody listens', async () => {
    await using a = await applying();
    let asked = 0;
    a.finding.of = async () => {
      asked++;
      return a.session;
    };
    void a.foreign.apply([a.say('active')]);
    await a.foreign.settled();
    expect(asked).toBe(0);
    using _hearing = a.hear(true);
    void a.foreign.apply([a.say('active')]);
    await a.foreign.settled();
    expect([asked, a.told]).toEqual([1, [{ change: 'changed', session: a.session }]]);
  });

  test('and names a person has everything of theirs read again', async () => {
    await using a = await applying();
    const { userId } = a.session;
    void a.foreign.apply([{ stream: 'sessions', id: '1-0', fields: encodePerson(userId).fields }]);
    expect(a.done).toEqual([`evict user ${userId}`, `evict ${userId}`]);
    expect(a.dropped).toEqual([]);
  });

  test('and names a session in the place of its person too is that of a session all the same', async () => {
    await using a = await applying();
    a.finding.of = async () => a.session;
    const { fields } = encodeEvent({ ...a.session, userId: a.session.id, status: 'revoked' });
    void a.foreign.apply([{ stream: 'sessions', id: '1-0', fields }]);
    await a.foreign.settled();
    expect(a.done).toContain(`revoke ${a.session.id}`);
    expect(a.done).toContain(`end ${a.session.id}`);
  });

  test('and was sent by this process changes nothing', async () => {
    await using a = await applying();
    a.own.sent([{ id: a.session.id, status: 'active' }]);
    void a.foreign.apply([a.say('active')]);
    expect(a.done).toEqual([]);
  });

  test('is counted and logged when the store fails, at once or later, and refused all the same', async () => {
    await using a = await applying();
    a.finding.of = () => Promise.reject(outage());
    void a.foreign.apply([a.say('revoked')]);
    await a.foreign.settled();
    a.durable.of = () => {
      throw outage();
    };
    void a.foreign.apply([a.say('revoked')]);
    expect(a.dropped).toEqual(['sessions store_failure', 'sessions store_failure']);
    expect(a.done.filter((each) => each === `revoke ${a.session.id}`).length).toBe(2);
    expect(a.log.lines.map(({ fields }) => [fields['event'], fields['reason']])).toEqual([
      ['1-0', 'store_failure'],
      ['2-0', 'store_failure'],
    ]);
  });

  test('waits when too much of it is on its way, and goes on when there is room', async () => {
    await using a = await applying();
    const waiting: (() => void)[] = [];
    a.finding.of = () => new Promise((resolve) => waiting.push(() => resolve(undefined)));
    expect(a.foreign.apply(Array.from({ length: 1_000 }, () => a.say('revoked')))).toBeUndefined();
    expect(waiting.length).toBe(32);
    const room = a.foreign.apply(Array.from({ length: 1_000 }, () => a.say('revoked')));
    let hasRoom = false;
    const waitForRoom = async () => {
      await room;
      hasRoom = true;
    };
    void waitForRoom();
    await settle();
    expect(hasRoom).toBe(false);
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) {
      each();
      await settle(1);
    }
    await a.foreign.settled();
    expect(hasRoom).toBe(true);
  });

  test('and is not understood has what it names read again', async () => {
    await using a = await applying();
    void a.foreign.apply([a.say('ended'), { stream: 'devices', id: '9-9', fields: 'x' }]);
    expect(a.done).toEqual([`evict ${a.session.id}`]);
    expect(a.dropped).toEqual(['sessions malformed_event', 'devices malformed_event']);
  });
});
