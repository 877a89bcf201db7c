import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import type { JsonObject } from '../../../src/mcp/json-rpc.ts';
import type { UserId } from '../../../src/users/model.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FIXTURE_ABOUT } from '../../support/mcp-backend.ts';
import { answerOf, EventReader, initialize, LegacyClient, sendRaw } from '../../support/mcp-client.ts';
import { type TemporaryFront, temporaryFront } from '../../support/mcp-front.ts';
import { until } from '../../support/until.ts';

const ABLE = { elicitation: {}, sampling: {}, roots: {} };
const HOUR_MS = 3_600_000;

let clock: ManualClock;
let site: TemporaryFront;
let userId: UserId;

beforeEach(async () => {
  clock = new ManualClock();
  site = await temporaryFront({ clock });
  userId = await site.things.addUser();
});
afterEach(() => site[Symbol.asyncDispose]());

const one = () => `${site.url}/one`;
const connect = async (capabilities: JsonObject = {}, token?: string) =>
  LegacyClient.connect(one(), token ?? (await site.grant(userId)).token, capabilities);
const textOf = (answer: JsonObject) =>
  ((answer['result'] as JsonObject)['content'] as { text: string }[])[0]?.text ?? '';

describe('initialize', () => {
  test('answers what the backend says of itself, and names the protocol session', async () => {
    const { token } = await site.grant(userId);
    const response = await sendRaw(one(), { token, body: initialize() });
    expect(response.headers.get('mcp-session-id')).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 0,
      result: {
        protocolVersion: '2025-11-25',
        capabilities: FIXTURE_ABOUT.capabilities,
        serverInfo: FIXTURE_ABOUT.serverInfo,
        instructions: 'Be kind.',
      },
    });
  });

  test.each([
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2024-11-05'],
    ['1999-01-01', '2025-11-25'],
  ])('of version %s is answered with %s', async (asked, given) => {
    const { token } = await site.grant(userId);
    const answer = await answerOf(await sendRaw(one(), { token, body: initialize({}, asked) }));
    expect(answer['result']).toMatchObject({ protocolVersion: given });
  });

  test('is answered from an earlier start while a slow child comes up, or does not', async () => {
    site.broker.cached = FIXTURE_ABOUT;
    site.broker.refusal = new AppError('unavailable', 'mcp_starting', 'Later.', { retryAfterSeconds: 3 });
    const client = await connect();
    const response = await client.call('echo', { text: 'x' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await response.json()).toMatchObject({ id: 1, error: { data: { code: 'mcp_starting' } } });
  });

  test('of a backend that cannot start leaves no protocol session behind', async () => {
    site.broker.refusal = new AppError('unauthorized', 'mcp_link_again', 'Link again.');
    const { token } = await site.grant(userId);
    const response = await sendRaw(one(), { token, body: initialize() });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('resource_metadata=');
    expect(site.broker.views.size).toBe(0);
  });

  test.each([
    ['no version', { capabilities: {} }],
    ['no capabilities', { protocolVersion: '2025-11-25' }],
    ['capabilities that are a list', { protocolVersion: '2025-11-25', capabilities: [] }],
    [
      'more to say of itself than is kept',
      { protocolVersion: '2025-11-25', capabilities: { experimental: { x: 'x'.repeat(33_000) } } },
    ],
    ['a client that is a word', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: 'me' }],
  ])('with %s is refused', async (_what, params) => {
    const { token } = await site.grant(userId);
    const body = { jsonrpc: '2.0', id: 3, method: 'initialize', params };
    expect(await answerOf(await sendRaw(one(), { token, body }))).toMatchObject({
      id: 3,
      error: { code: -32_602 },
    });
  });
});

describe('a protocol session', () => {
  test('is missing: 400', async () => {
    const { token } = await site.grant(userId);
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const response = await sendRaw(one(), { token, body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -32_600 } });
    expect((await sendRaw(one(), { method: 'GET', token })).status).toBe(400);
    expect((await sendRaw(one(), { method: 'DELETE', token })).status).toBe(400);
  });

  test('of another user, of another grant, at another backend and an unknown one look alike, and are noted', async () => {
    const client = await connect();
    const stranger = await site.things.addUser();
    const tokens = [
      { url: one(), token: (await site.grant(stranger)).token, session: client.session },
      { url: one(), token: (await site.grant(userId)).token, session: client.session },
      { url: `${site.url}/two`, token: (await site.grant(userId, 'two')).token, session: client.session },
      { url: one(), token: client.token, session: 'x'.repeat(43) },
    ];
    const answers = await Promise.all(
      tokens.map(async ({ url, token, session }) => {
        const other = new LegacyClient(url, token, session);
        const response = await other.call('echo', { text: 'x' });
        const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== 'date'));
        return { status: response.status, headers, body: await response.text() };
      }),
    );
    const [first, ...others] = answers;
    expect(first?.status).toBe(404);
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ error: { code: -32_001 } });
    expect(others).toHaveLength(3);
    for (const answer of others) expect([answer]).toEqual(answers.slice(0, 1));
    expect(site.broker.calls).toHaveLength(0);
    await until('the rows are written', () => {
      const reasons = site.things.auditStore.list({ limit: 9 }).map(({ detail }) => detail?.['reason']);
      return reasons.filter((reason) => reason === 'protocol_session_of_another').length === 3;
    });
  });

  test('outlives a restart, with its level and its subscriptions', async () => {
    const client = await connect();
    await client.send({ id: 1, method: 'logging/setLevel', params: { level: 'error' } });
    await client.send({ id: 2, method: 'resources/subscribe', params: { uri: 'test://a' } });
    await site.restart();
    const again = new LegacyClient(one(), client.token, client.session);
    const messages = await new EventReader(await again.call('log')).rest();
    expect(messages.map(({ params }) => (params as JsonObject | undefined)?.['data'])).toEqual([
      'big news',
      undefined,
    ]);
    expect([...site.broker.views.values()][0]?.subscriptions).toEqual(new Set(['test://a']));
  });

  test('ends by DELETE, with its child', async () => {
    const client = await connect();
    expect((await client.end()).status).toBe(204);
    expect((await client.call('echo')).status).toBe(404);
    expect(site.broker.forgotten.map(({ protocolSessionId }) => protocolSessionId)).toEqual([client.session]);
    expect(site.broker.views.size).toBe(0);
  });

  test('ends after 24 hours without use, and not before', async () => {
    const client = await connect();
    await clock.advance(23 * HOUR_MS);
    await site.front.sweep();
    expect((await client.call('echo', { text: 'x' })).status).toBe(200);
    await clock.advance(24 * HOUR_MS);
    expect((await client.call('echo', { text: 'x' })).status).toBe(404);
  });

  test('leaves the memory when it is quiet, and comes back', async () => {
    const client = await connect();
    await clock.advance(HOUR_MS);
    await site.front.sweep();
    expect(site.broker.views.size).toBe(0);
    expect((await client.call('echo', { text: 'x' })).status).toBe(200);
  });

  test('ends with its grant: streams close, the row goes', async () => {
    const { id, token } = await site.grant(userId);
    const client = await connect({}, token);
    await using events = new EventReader(await client.listen());
    await site.things.ledger.end(id, { reason: 'ended_by_user' });
    expect(await events.next()).toBeUndefined();
    expect(site.broker.views.size).toBe(0);
  });

  test('beyond the limit the one unused for longest ends', async () => {
    await using small = await temporaryFront({ clock, config: { protocol_sessions_per_grant: 2 } });
    const { token } = await small.grant(await small.things.addUser());
    const clients: LegacyClient[] = [];
    for (let count = 0; count < 3; count++) {
      await clock.advance(1_000);
      clients.push(await LegacyClient.connect(`${small.url}/one`, token));
    }
    const statuses = await Promise.all(clients.map(async (client) => (await client.call('echo')).status));
    expect(statuses).toEqual([404, 200, 200]);
  });

  test.each(['2026-01-01', '1.0', 'v999.0.0'])('with version %s in the header is 400', async (version) => {
    const client = await connect();
    const response = await client.send(
      { id: 1, method: 'tools/list' },
      { headers: { 'mcp-protocol-version': version } },
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32_022 } });
  });
});

describe('a call', () => {
  test('is answered as JSON, its errors included', async () => {
    const client = await connect();
    const response = await client.call('echo', { text: 'hello' }, 'a');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({ id: 'a', result: { content: [{ text: 'hello' }] } });
    const failed = await client.call('fail');
    expect(failed.status).toBe(200);
    expect(await failed.json()).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32_050, message: 'Out of paper', data: { tray: 2 } },
    });
    expect(site.broker.leases).toBe(0);
  });

  test('becomes a stream when a message comes first', async () => {
    const client = await connect();
    const messages = await new EventReader(
      await client.call('progress', {}, 1, { progressToken: 'p' }),
    ).rest();
    expect(messages).toMatchObject([
      { method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } },
      { id: 1, result: {} },
    ]);
  });

  test('becomes a stream after a quarter of a second', async () => {
    const client = await connect();
    const response = client.call('gate');
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    expect((await response).headers.get('content-type')).toBe('text/event-stream');
    site.broker.openGate();
    expect(textOf(await answerOf(await response))).toBe('through the gate');
    expect(site.broker.leases).toBe(0);
  });

  test('of a client that takes no stream waits, without what comes ahead', async () => {
    const client = await connect();
    const request = { id: 1, method: 'tools/call', params: { name: 'progress' } };
    const response = await client.send(request, { headers: { accept: 'application/json' } });
    expect(response.headers.get('content-type')).toBe('application/json');
  });

  test('is called off by notifications/cancelled', async () => {
    const client = await connect();
    const response = client.call('gate', {}, 'g');
    await until('the call is under way', () => site.broker.leases === 1);
    const params = { requestId: 'g' };
    expect((await client.send({ method: 'notifications/cancelled', params })).status).toBe(202);
    expect(await answerOf(await response)).toMatchObject({ id: 'g', error: { code: -32_603 } });
    expect(site.broker.calls[0]?.signal.aborted).toBe(true);
    expect(site.broker.leases).toBe(0);
  });

  test('with an id that is still open is refused', async () => {
    const client = await connect();
    const first = client.call('gate', {}, 7);
    await until('the call is under way', () => site.broker.leases === 1);
    const second = await client.call('echo', {}, 7);
    expect(second.status).toBe(400);
    site.broker.openGate();
    expect(textOf(await answerOf(await first))).toBe('through the gate');
  });

  test('two clients with the same id never see each other', async () => {
    const stranger = await site.things.addUser();
    const clients = await Promise.all([connect(), connect({}, (await site.grant(stranger)).token)]);
    const waiting = clients.map((client) => client.call('gate', {}, 1));
    await until('both are under way', () => site.broker.leases === 2);
    await clients[0]?.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    site.broker.openGate();
    const answers = await Promise.all(waiting.map(async (response) => answerOf(await response)));
    expect(answers[0]).toHaveProperty('error');
    expect(answers[1]).toHaveProperty('result');
  });

  test('hears logs of its level alone', async () => {
    const client = await connect();
    expect(await new EventReader(await client.call('log')).rest()).toHaveLength(3);
    const set = await client.send({ id: 2, method: 'logging/setLevel', params: { level: 'warning' } });
    expect(await set.json()).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
    expect(await new EventReader(await client.call('log')).rest()).toHaveLength(2);
    const bad = await client.send({ id: 3, method: 'logging/setLevel', params: { level: 'loud' } });
    expect(await bad.json()).toMatchObject({ error: { code: -32_602 } });
  });

  test('ping is answered here', async () => {
    const client = await connect();
    expect(await (await client.send({ id: 'p', method: 'ping' })).json()).toEqual({
      jsonrpc: '2.0',
      id: 'p',
      result: {},
    });
    expect(site.broker.calls).toHaveLength(0);
  });
});

describe('what the backend asks its client', () => {
  test('goes over the stream of the call, and the answer comes by POST', async () => {
    const client = await connect(ABLE);
    await using events = new EventReader(await client.call('ask'));
    const asked = (await events.next())?.message;
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { message: 'Who are you?' } });
    const answer = { id: asked?.['id'], result: { action: 'accept', content: { name: 'Ada' } } };
    expect((await client.send(answer)).status).toBe(202);
    expect(textOf((await events.next())?.message ?? {})).toContain('Ada');
  });

  test('is refused for a client that did not say it can be asked', async () => {
    const client = await connect();
    expect(await answerOf(await client.call('sample'))).toMatchObject({ result: { isError: true } });
  });

  test('is answered by its own client alone', async () => {
    const client = await connect(ABLE);
    const other = await connect(ABLE);
    await using events = new EventReader(await client.call('ask'));
    const id = (await events.next())?.message['id'];
    await other.send({ id, result: { action: 'accept', content: { name: 'Mallory' } } });
    await client.send({ id, result: { action: 'decline' } });
    expect(textOf((await events.next())?.message ?? {})).toContain('decline');
  });

  test('is given up after five minutes', async () => {
    const client = await connect(ABLE);
    await using events = new EventReader(await client.call('ask'));
    await events.next();
    await clock.advance(300_000);
    expect((await events.next())?.message).toMatchObject({ id: 1, error: { code: -32_603 } });
    expect(site.broker.leases).toBe(0);
  });
});

describe('the stream of GET', () => {
  test('hears of so many resources and no more, however many are asked for at once', async () => {
    const client = await connect();
    const subscribe = async (id: number, uri: string) =>
      answerOf(await client.send({ id, method: 'resources/subscribe', params: { uri } }));
    const asked = Array.from({ length: 260 }, (_, id) => subscribe(id, `test://${id}`));
    const refused = (await Promise.all(asked)).filter((answer) => 'error' in answer);
    expect(refused).toHaveLength(4);
    const [view] = site.broker.views.values();
    expect(view?.subscriptions.size).toBe(256);
    expect(await subscribe(1_000, `test://${'x'.repeat(5_000)}`)).toMatchObject({ error: { code: -32_602 } });
  });

  test('makes room again for what the server refused', async () => {
    const client = await connect();
    for (let id = 0; id < 257; id++) {
      const answer = await answerOf(
        await client.send({ id, method: 'resources/subscribe', params: { uri: `bad:${id}` } }),
      );
      expect(answer).toMatchObject({ error: { message: 'No such resource' } });
    }
  });

  test('carries what belongs to no request, to subscribers alone', async () => {
    const client = await connect();
    await using events = new EventReader(await client.listen());
    expect(site.broker.announce('notifications/tools/list_changed')).toBe(true);
    expect((await events.next())?.message).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
    });
    const bad = await client.send({ id: 1, method: 'resources/subscribe', params: { uri: 'bad:x' } });
    expect(await bad.json()).toMatchObject({ error: { code: -32_602 } });
    expect(site.broker.leases).toBe(0);
  });

  test('carries requests of the backend', async () => {
    const client = await connect(ABLE);
    const [view] = site.broker.views.keys();
    await using events = new EventReader(await client.listen());
    const answer = view?.ask('roots/list');
    const id = (await events.next())?.message['id'];
    await client.send({ id, result: { roots: [] } });
    expect(await answer).toEqual({ roots: [] });
  });

  test('goes to the newest reader: an older connection may be dead', async () => {
    const client = await connect();
    await using first = new EventReader(await client.listen());
    await using second = new EventReader(await client.listen());
    expect(await first.next()).toBeUndefined();
    site.broker.announce('notifications/tools/list_changed');
    expect((await second.next())?.message).toHaveProperty('method');
  });

  test('is resumed where it broke', async () => {
    const client = await connect();
    const before = new EventReader(await client.listen());
    site.broker.announce('notifications/tools/list_changed');
    await before.next();
    await before[Symbol.asyncDispose]();
    await until('the reader is gone', () => !site.broker.announce('notifications/prompts/list_changed'));
    const headers = { 'last-event-id': before.lastId ?? '' };
    await using after = new EventReader(await client.listen(headers));
    expect((await after.next())?.message).toMatchObject({ method: 'notifications/prompts/list_changed' });
  });
});

describe('a stream that breaks', () => {
  /** The event stream that answers a call of `progress`, read to its end; resolves to the id of its first event. */
  const readThrough = async (client: LegacyClient, id: number) => {
    const events = new EventReader(await client.call('progress', {}, id, { progressToken: id }));
    await events.next();
    const { lastId = '' } = events;
    await events.rest();
    return lastId;
  };

  test('is not kept for ever when many more have ended since', async () => {
    const client = await connect();
    const first = await readThrough(client, 1_000);
    const second = await readThrough(client, 1_001);
    for (let id = 1; id < 64; id++) await readThrough(client, id);
    const gone = await client.listen({ 'last-event-id': first });
    expect(await new EventReader(gone).rest()).toMatchObject([{ id: 1_000, error: { code: -32_603 } }]);
    const kept = await client.listen({ 'last-event-id': second });
    expect((await new EventReader(kept).rest()).at(-1)).toMatchObject({ id: 1_001, result: {} });
  });

  test('is resumed with the answer, however late', async () => {
    const client = await connect();
    const response = client.call('gate', {}, 'late');
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    const broken = new EventReader(await response);
    expect(await Promise.race([broken.next(), Promise.resolve('nothing yet')])).toBe('nothing yet');
    await until('the reader knows where it is', () => broken.lastId !== undefined);
    await broken[Symbol.asyncDispose]();
    site.broker.openGate();
    await until('the call is over', () => site.broker.leases === 0);
    const resumed = await client.listen({ 'last-event-id': broken.lastId ?? '' });
    expect(await new EventReader(resumed).rest()).toMatchObject([{ id: 'late', result: {} }]);
  });

  test('calls the request off when nobody comes back', async () => {
    const client = await connect();
    const aborting = new AbortController();
    const response = client.send(
      { id: 1, method: 'tools/call', params: { name: 'gate' } },
      { signal: aborting.signal },
    );
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    await response;
    aborting.abort();
    await until('the call is given up', async () => {
      await clock.advance(61_000);
      await site.front.sweep();
      return site.broker.leases === 0;
    });
  });

  test('after a restart its client hears that the answer is lost', async () => {
    const client = await connect();
    const response = client.call('gate', {}, 'lost');
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    const broken = new EventReader(await response);
    const cut = broken.next().catch((error: unknown) => error);
    await until('the reader knows where it is', () => broken.lastId !== undefined);
    await site.restart();
    expect(await cut).toBeInstanceOf(Error);
    const again = new LegacyClient(one(), client.token, client.session);
    const resumed = await again.listen({ 'last-event-id': broken.lastId ?? '' });
    expect(await new EventReader(resumed).rest()).toMatchObject([{ id: 'lost', error: { code: -32_603 } }]);
  });

  test.each(['x', 'get.1', '../../etc', 's1.99999999999.', `get.1.${'A'.repeat(400)}`])(
    'an event id that is none of ours (%s) opens a fresh stream',
    async (id) => {
      const client = await connect();
      await using events = new EventReader(await client.listen({ 'last-event-id': id }));
      site.broker.announce('notifications/tools/list_changed');
      expect(await events.next()).toBeDefined();
    },
  );
});

test('an answer that cannot be written is an error of the backend', async () => {
  const client = await connect();
  expect(await answerOf(await client.call('abyss'))).toMatchObject({ id: 1, error: { code: -32_603 } });
});

test('clients that come and go without a word leave nothing behind', async () => {
  const people = await Promise.all(Array.from({ length: 8 }, () => site.things.addUser()));
  const grants = await Promise.all(people.map((person) => site.grant(person)));
  const aborting = new AbortController();
  const { signal } = aborting;
  for (const { token } of grants) {
    for (let count = 0; count < 10; count++) {
      const client = await connect({}, token);
      await client.listen({}, signal);
      const call = { id: 1, method: 'tools/call', params: { name: 'gate' } };
      client.send(call, { signal }).catch(() => undefined);
    }
  }
  await until('all calls are under way', () => site.broker.leases === 80);
  await clock.advance(250);
  aborting.abort();
  await until('nothing is left', async () => {
    await clock.advance(6 * 60_000);
    await site.front.sweep();
    return site.broker.leases === 0 && site.broker.views.size === 0;
  });
  expect(site.things.metrics.render()).toContain('postern_mcp_protocol_sessions 0');
  expect(site.things.metrics.render()).toContain('postern_session_live_things 0');
});

describe('the end of the appliance', () => {
  test('lets calls finish, ends listeners and begins nothing', async () => {
    const client = await connect();
    await using events = new EventReader(await client.listen());
    const response = client.call('gate');
    await until('the call is under way', () => site.broker.leases === 1);
    site.front.close();
    expect(await events.next()).toBeUndefined();
    expect((await client.call('echo', {}, 2)).status).toBe(503);
    site.broker.openGate();
    expect(textOf(await answerOf(await response))).toBe('through the gate');
  });
});

test('a client that goes away before it has seen anything calls its request off', async () => {
  const client = await connect();
  const aborting = new AbortController();
  const request = { id: 1, method: 'tools/call', params: { name: 'gate' } };
  const failure = client.send(request, { signal: aborting.signal }).catch((error: unknown) => error);
  await until('the call is under way', () => site.broker.leases === 1);
  aborting.abort();
  expect(await failure).toBeInstanceOf(Error);
  // Whether its end is noticed before the stream opens or after is up to the machine.
  await until('the call is over', async () => {
    await clock.advance(61_000);
    await site.front.sweep();
    return site.broker.leases === 0;
  });
});

test('a silent stream is kept open', async () => {
  const client = await connect();
  const response = client.call('gate');
  await until('the call is under way', () => site.broker.leases === 1);
  await clock.advance(250);
  const reader = (await response).body?.getReader();
  const seen = async () => new TextDecoder().decode((await reader?.read())?.value);
  expect(await seen()).toContain('id: s1.0.');
  site.front.keepAlive();
  expect(await seen()).toBe(': keep-alive\n\n');
  await reader?.cancel();
});
