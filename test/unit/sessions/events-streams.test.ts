import { expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { encodeEvent, eventStream } from '../../../src/sessions/events-stream.ts';
import { sessionEventStreams } from '../../../src/sessions/events-streams.ts';
import { droppedEvents } from '../../../src/sessions/metrics.ts';
import type { Session } from '../../../src/sessions/model.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { eventStreamReader } from '../../support/event-stream-reader.ts';
import { refusalOf } from '../../support/refusal.ts';

async function sessionOf({ base }: TemporaryApi, { sessionId }: SignedIn): Promise<Session> {
  const session = await base.ledger.find(sessionId);
  if (session === undefined) throw new Error('the session is stored');
  return session;
}

/** Streams whose attachments to the ledger are counted. */
function counted(api: TemporaryApi) {
  const { ledger } = api.base;
  let attached = 0;
  let described = 0;
  const streams = sessionEventStreams({
    ledger: {
      list: (userId) => ledger.list(userId),
      attach(id, close) {
        attached++;
        const attachment = ledger.attach(id, close);
        let isOver = false;
        return {
          [Symbol.dispose]() {
            if (!isOver) attached--;
            isOver = true;
            attachment[Symbol.dispose]();
          },
        };
      },
    },
    events: ledger.events,
    describe(session) {
      described++;
      return { id: session.id };
    },
    maxStreamsPerUser: 10,
    tooSlow: droppedEvents(api.base.metrics, 'reader_too_slow'),
  });
  return { streams, attached: () => attached, described: () => described };
}

test('an event is one line of data, whatever is in it', () => {
  expect(encodeEvent('created', { label: 'a\n\nevent: revoked\r' })).toBe(
    'event: created\ndata: {"label":"a\\n\\nevent: revoked\\r"}\n\n',
  );
});

test('opening for a session that ended meanwhile is refused and leaves nothing attached', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const stale = await sessionOf(api, ada);
  await api.base.ledger.end(ada.sessionId, { reason: 'signed_out' });
  const { streams, attached } = counted(api);
  expect(await refusalOf(streams.open(stale))).toMatchObject({ code: 'session_ended' });
  expect([attached(), streams.count]).toEqual([0, 0]);
});

test('however a stream ends, it is forgotten once', async () => {
  await using api = temporaryApi();
  const session = await sessionOf(api, await api.signIn());
  const { streams, attached } = counted(api);
  const abandoned = await streams.open(session);
  const cancelled = await streams.open(session);
  const ended = await streams.open(session);
  const kept = await streams.open(session);
  expect(attached()).toBe(4);
  abandoned.abandon();
  abandoned.abandon();
  await cancelled.body.cancel();
  cancelled.end('too_slow');
  ended.end('expired');
  ended.end('expired');
  ended.abandon();
  expect([attached(), streams.count]).toEqual([1, 1]);
  streams[Symbol.dispose]();
  streams[Symbol.dispose]();
  expect([attached(), streams.count]).toEqual([0, 0]);
  expect(await refusalOf(streams.open(session))).toMatchObject({ code: 'shutting_down' });
  expect(await eventStreamReader(new Response(kept.body)).rest()).toEqual([
    { event: 'end', data: { reason: 'shutting_down' } },
  ]);
});

test('an event is described once for all streams of a user, and not at all for who has none', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { streams, described } = counted(api);
  const session = await sessionOf(api, ada);
  const open = await Promise.all(Array.from({ length: 3 }, () => streams.open(session)));
  const readers = open.map(({ body }) => eventStreamReader(new Response(body)));
  await api.signIn();
  const phone = await api.signIn(ada.userId);
  for (const reader of readers)
    expect(await reader.event()).toEqual({ event: 'created', data: { id: phone.sessionId } });
  expect(described()).toBe(1);
  streams[Symbol.dispose]();
});

test('what runs out is told once, also to a stream that came later', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const { ledger } = api.base;
  let hidden = false;
  const streams = sessionEventStreams({
    ledger: {
      list: async (userId) =>
        (await ledger.list(userId)).filter(({ id }) => !(hidden && id === phone.sessionId)),
      attach: (id, close) => ledger.attach(id, close),
    },
    events: ledger.events,
    describe: ({ id }) => ({ id }),
    maxStreamsPerUser: 10,
    tooSlow: droppedEvents(api.base.metrics, 'reader_too_slow'),
  });
  const session = await sessionOf(api, ada);
  const first = eventStreamReader(new Response((await streams.open(session)).body));
  hidden = true;
  const second = eventStreamReader(new Response((await streams.open(session)).body));
  await streams.tellExpired();
  await streams.tellExpired();
  streams[Symbol.dispose]();
  const expected = [
    { event: 'expired', data: { id: phone.sessionId } },
    { event: 'end', data: { reason: 'shutting_down' } },
  ];
  expect(await first.rest()).toEqual(expected);
  expect(await second.rest()).toEqual(expected);
});

test('what happens while the ledger is asked is told once, and as what it is', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const { ledger } = api.base;
  let meanwhile: () => Promise<unknown> = async () => undefined;
  const streams = sessionEventStreams({
    ledger: {
      // An answer that is old by the time it comes.
      async list(userId) {
        const sessions = await ledger.list(userId);
        await meanwhile();
        return sessions;
      },
      attach: (id, close) => ledger.attach(id, close),
    },
    events: ledger.events,
    describe: ({ id }) => ({ id }),
    maxStreamsPerUser: 10,
    tooSlow: droppedEvents(api.base.metrics, 'reader_too_slow'),
  });
  const session = await sessionOf(api, ada);
  meanwhile = () => ledger.end(phone.sessionId, { reason: 'signed_out' });
  const reader = eventStreamReader(new Response((await streams.open(session)).body));
  let tablet: SignedIn | undefined;
  meanwhile = async () => {
    tablet ??= await api.signIn(ada.userId);
  };
  await streams.tellExpired();
  await streams.tellExpired();
  meanwhile = () => ledger.end(ada.sessionId, { reason: 'signed_out' });
  const late = eventStreamReader(new Response((await streams.open(session)).body));
  const end = { event: 'end', data: { reason: 'signed_out' } };
  expect(await late.rest()).toEqual([end]);
  expect(await reader.rest()).toEqual([
    { event: 'revoked', data: { id: phone.sessionId } },
    { event: 'created', data: { id: tablet?.sessionId } },
    end,
  ]);
  expect(streams.count).toBe(0);
});

test('where the ledger cannot be asked, no stream opens and none is left', async () => {
  await using api = temporaryApi();
  const session = await sessionOf(api, await api.signIn());
  const away = new AppError('unavailable', 'store_unavailable', 'Sessions cannot be looked up right now.');
  const streams = sessionEventStreams({
    ledger: {
      list: () => Promise.reject(away),
      attach: (id, close) => api.base.ledger.attach(id, close),
    },
    events: api.base.ledger.events,
    describe: ({ id }) => ({ id }),
    maxStreamsPerUser: 10,
    tooSlow: droppedEvents(api.base.metrics, 'reader_too_slow'),
  });
  expect(await refusalOf(streams.open(session))).toBe(away);
  expect(streams.count).toBe(0);
});

test('a reader that falls behind is counted', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { streams } = counted(api);
  const stream = await streams.open(await sessionOf(api, ada));
  stream.send(new Uint8Array(300 * 1024));
  stream.send(new Uint8Array(1));
  expect(streams.count).toBe(0);
  const line = 'postern_session_events_dropped_total{component="event_streams",reason="reader_too_slow"} 1';
  expect(api.base.metrics.render()).toContain(line);
});

test('a listener that fails keeps nothing from the others, and is counted', async () => {
  await using api = temporaryApi();
  const { ledger, metrics } = api.base;
  const heard: string[] = [];
  using _failing = ledger.events.subscribe(() => {
    throw new Error('a bug');
  });
  using _hearing = ledger.events.subscribe(
    (snapshots) => void heard.push(...snapshots.map(({ change }) => change)),
  );
  await api.signIn();
  expect(heard).toEqual(['created']);
  expect(metrics.render()).toContain(
    'postern_session_events_dropped_total{component="listeners",reason="listener_failed"} 1',
  );
});

test('a full queue ends the stream with its reason, and what was queued is still read', async () => {
  let ends = 0;
  const stream = eventStream(() => ends++);
  const chunk = new TextEncoder().encode(encodeEvent('created', { text: 'x'.repeat(50_000) }));
  for (let each = 0; each < 10; each++) stream.send(chunk);
  stream.keepAlive();
  expect(ends).toBe(1);
  const events = await eventStreamReader(new Response(stream.body)).rest();
  expect(events).toHaveLength(7);
  expect(events.at(-1)).toEqual({ event: 'end', data: { reason: 'too_slow' } });
});
