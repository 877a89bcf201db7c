import { expect, spyOn, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { AppError } from '../../../src/lib/app-error.ts';
import { type SignedIn, TEST_COOKIE, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { eventStreamReader } from '../../support/event-stream-reader.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';
import { until } from '../../support/until.ts';

const PATH = '/api/v1/sessions/events';

async function open(api: TemporaryApi, by: SignedIn, headers: Record<string, string> = {}) {
  const response = await api.call(PATH, { cookie: by.token, headers });
  expect(response.status).toBe(200);
  const reader = eventStreamReader(response);
  expect(await reader.block()).toBe(': open');
  return { response, reader };
}

test('a stream begins at once and is what a browser’s EventSource takes', async () => {
  await using api = temporaryApi();
  const { response, reader } = await open(api, await api.signIn());
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  api.streams.keepAlive();
  expect(await reader.block()).toBe(': keep-alive');
  await reader.cancel();
});

test('it tells of my sessions as they begin and end, and of nobody else’s', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { reader } = await open(api, ada);
  await api.signIn();
  const phone = await api.signIn(ada.userId);
  expect(await reader.event()).toMatchObject({
    event: 'created',
    data: { session: { id: phone.sessionId, kind: 'user', parent_id: null }, reason: null },
  });
  await api.base.ledger.end(phone.sessionId, { reason: 'ended_by_owner' });
  expect(await reader.event()).toMatchObject({
    event: 'revoked',
    data: { session: { id: phone.sessionId }, reason: 'ended_by_owner' },
  });
  await reader.cancel();
});

test('a token with sessions:read follows too, and another scope does not', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const reads = await api.makeToken(ada);
  const writes = await api.makeToken(ada, { scopes: ['sessions:write'] });
  expect((await api.call(PATH, { bearer: writes.token })).status).toBe(401);
  const reader = eventStreamReader(await api.call(PATH, { bearer: reads.token }));
  await reader.block();
  await api.base.ledger.end(reads.sessionId, { reason: 'ended_by_user' });
  expect(await reader.rest()).toEqual([{ event: 'end', data: { reason: 'ended_by_user' } }]);
});

test('signing out ends the stream, and a second look says who is not signed in', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { reader } = await open(api, ada);
  await api.call('/api/v1/session', { method: 'DELETE', cookie: ada.token });
  expect(await reader.rest()).toEqual([{ event: 'end', data: { reason: 'signed_out' } }]);
  expect(api.streams.count).toBe(0);
  expect((await api.call(PATH, { cookie: ada.token })).status).toBe(401);
});

test('a session that runs out is told of, and ends its own stream', async () => {
  const clock = new ManualClock();
  await using api = temporaryApi({ clock });
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const { reader } = await open(api, ada);
  await clock.advance(23 * 3_600_000);
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(200);
  await clock.advance(2 * 3_600_000);
  await api.streams.tellExpired();
  expect(await reader.event()).toMatchObject({
    event: 'expired',
    data: { session: { id: phone.sessionId } },
  });
  await clock.advance(24 * 3_600_000);
  await api.base.ledger.closeExpired();
  expect(await reader.rest()).toEqual([{ event: 'end', data: { reason: 'expired' } }]);
});

test('an open stream does not keep its session alive', async () => {
  const clock = new ManualClock();
  await using api = temporaryApi({ clock });
  const { reader } = await open(api, await api.signIn());
  for (let hour = 0; hour < 24; hour++) {
    await clock.advance(3_600_000);
    api.streams.keepAlive();
  }
  await api.base.ledger.closeExpired();
  expect(await reader.rest()).toEqual([{ event: 'end', data: { reason: 'expired' } }]);
});

test('a person holds only so many streams; one that is closed makes room', async () => {
  await using api = temporaryApi({ maxStreamsPerUser: 2 });
  const ada = await api.signIn();
  const first = await open(api, ada);
  await open(api, await api.signIn(ada.userId));
  const refused = await api.call(PATH, { cookie: ada.token });
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('30');
  await open(api, await api.signIn());
  await first.reader.cancel();
  await until('two streams are open', () => api.streams.count === 2);
  await open(api, ada);
});

test('a reader that goes away, mid-stream or before the first byte, leaves nothing behind', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  for (let each = 0; each < 3; each++) {
    const aborting = new AbortController();
    await api.call(PATH, { cookie: ada.token, signal: aborting.signal });
    aborting.abort();
  }
  for (let each = 0; each < 3; each++) (await openSocket(api, ada)).destroy();
  await until('both have ended', () => api.streams.count === 0);
});

test('HEAD answers like GET and opens nothing', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const response = await api.call(PATH, { method: 'HEAD', cookie: ada.token });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expect((await api.call(PATH, { method: 'HEAD' })).status).toBe(401);
  expect(api.streams.count).toBe(0);
});

test('a reader that does not read is let go, and costs no more than its queue', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const socket = await openSocket(api, ada);
  socket.pause();
  const large = { ...(await sampleSession(api, ada)), label: 'x'.repeat(100_000) };
  let sent = 0;
  for (; api.streams.count > 0 && sent < 1_000; sent++) {
    api.base.ledger.events.publish([{ change: 'created', session: large }]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // What the system's own buffers take comes on top of our queue.
  expect(sent).toBeLessThan(200);
  expect(api.streams.count).toBe(0);
  socket.destroy();
});

test('a stream opened while its session ends is refused or ends at once', async () => {
  await using api = temporaryApi({ maxStreamsPerUser: 50 });
  for (let round = 0; round < 20; round++) {
    const ada = await api.signIn();
    const [response] = await Promise.all([
      api.call(PATH, { cookie: ada.token }),
      api.base.ledger.end(ada.sessionId, { reason: 'ended_by_user' }),
    ]);
    if (response.status === 200) {
      const events = await eventStreamReader(response).rest();
      expect(events.at(-1)).toEqual({ event: 'end', data: { reason: 'ended_by_user' } });
    } else {
      expect(response.status).toBe(401);
      await response.body?.cancel();
    }
    expect(api.streams.count).toBe(0);
  }
});

test('when a session could not be ended in the store, its streams end all the same and none is opened', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { reader } = await open(api, ada);
  const { db, ledger } = api.base;
  const full = spyOn(db, 'write').mockRejectedValue(outage());
  const refused = await api.call(`/api/v1/sessions/${ada.sessionId}`, {
    method: 'DELETE',
    cookie: ada.token,
  });
  expect(refused.status).toBe(503);
  expect(await reader.event()).toMatchObject({ event: 'end' });
  const session = await ledger.find(ada.sessionId);
  if (session === undefined) throw new Error('the session is stored');
  expect(await refusalOf(api.streams.open(session))).toMatchObject({ code: 'session_ended' });
  full.mockRestore();
});

test('a thousand streams end within a moment of one revocation', async () => {
  await using api = temporaryApi({ maxStreamsPerUser: 1_000 });
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const session = await api.base.ledger.find(ada.sessionId);
  if (session === undefined) throw new Error('the session is stored');
  const streams = await Promise.all(Array.from({ length: 1_000 }, () => api.streams.open(session)));
  const readers = streams.map(({ body }) => eventStreamReader(new Response(body)));
  expect(api.streams.count).toBe(1_000);
  await api.base.ledger.end(ada.sessionId, { reason: 'ended_by_user' });
  expect(api.streams.count).toBe(0);
  const last = await Promise.all(readers.map(async (reader) => (await reader.rest()).at(-1)));
  expect(last.every((event) => event?.data['reason'] === 'ended_by_user')).toBe(true);
  expect((await api.call('/api/v1/session', { cookie: phone.token })).status).toBe(200);
});

test('closing the server ends every stream and does not wait for its readers', async () => {
  const api = temporaryApi();
  const { reader } = await open(api, await api.signIn());
  const closed = api[Symbol.asyncDispose]();
  expect(await reader.rest()).toEqual([{ event: 'end', data: { reason: 'shutting_down' } }]);
  await closed;
});

function outage() {
  return new AppError('unavailable', 'store_unavailable', 'The database cannot take this right now.');
}

async function sampleSession({ base }: TemporaryApi, { sessionId }: SignedIn) {
  const session = await base.ledger.find(sessionId);
  if (session === undefined) throw new Error('the session is stored');
  return session;
}

/** A stream on a bare socket, open as soon as its head has come. */
function openSocket({ port }: TemporaryApi, { token }: SignedIn): Promise<Socket> {
  const head = [
    `GET ${PATH} HTTP/1.1`,
    'Host: auth.example.test',
    `Cookie: ${TEST_COOKIE}=${token}`,
    'Accept: text/event-stream',
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head.join('\r\n')}\r\n\r\n`));
    socket.once('data', () => resolve(socket));
    socket.on('error', reject);
  });
}
