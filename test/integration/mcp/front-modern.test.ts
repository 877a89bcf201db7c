import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../../src/mcp/json-rpc.ts';
import type { UserId } from '../../../src/users/model.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FIXTURE_ABOUT, fixtureBackend } from '../../support/mcp-backend.ts';
import { answerOf, EventReader, MODERN_META, sendModern, sendRaw } from '../../support/mcp-client.ts';
import { type TemporaryFront, temporaryFront } from '../../support/mcp-front.ts';
import { until } from '../../support/until.ts';

const ABLE = { elicitation: {}, sampling: {}, roots: {} };

let clock: ManualClock;
let site: TemporaryFront;
let userId: UserId;
let token: string;

beforeEach(async () => {
  clock = new ManualClock();
  site = await temporaryFront({ clock });
  userId = await site.things.addUser();
  ({ token } = await site.grant(userId));
});
afterEach(() => site[Symbol.asyncDispose]());

const one = () => `${site.url}/one`;
const ask = (
  method: string,
  params?: JsonObject,
  options: { capabilities?: JsonObject; token?: string } = {},
) =>
  sendModern(one(), options.token ?? token, {
    method,
    ...(params && { params }),
    capabilities: options.capabilities ?? {},
  });
const call = (name: string, more: JsonObject = {}, capabilities: JsonObject = {}, as = token) =>
  ask('tools/call', { name, arguments: {}, ...more }, { capabilities, token: as });
const resultOf = async (response: Response) => (await answerOf(response))['result'] as JsonObject;

/** A call that asks its client something, up to the point where it waits. */
async function parked(name: string, more: JsonObject = {}): Promise<JsonObject> {
  const response = call(name, more, ABLE);
  await until('the backend asks', () => site.broker.leases === 1);
  await clock.advance(20);
  return resultOf(await response);
}

describe('a request', () => {
  test('is answered with its type, and who answers', async () => {
    const response = await call('echo', { arguments: { text: 'hello' } });
    expect(response.status).toBe(200);
    expect(response.headers.has('mcp-session-id')).toBe(false);
    expect(await resultOf(response)).toEqual({
      content: [{ type: 'text', text: 'hello' }],
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/serverInfo': FIXTURE_ABOUT.serverInfo },
    });
  });

  test('for a list says how long it holds', async () => {
    expect(await resultOf(await ask('tools/list'))).toMatchObject({ ttlMs: 0, cacheScope: 'private' });
  });

  test('server/discover tells versions and capabilities', async () => {
    expect(await resultOf(await ask('server/discover'))).toEqual({
      supportedVersions: ['2026-07-28'],
      capabilities: {
        tools: { listChanged: true },
        prompts: {},
        logging: {},
        resources: { subscribe: true },
      },
      instructions: 'Be kind.',
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': FIXTURE_ABOUT.serverInfo },
    });
  });

  test.each([
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'resources/unsubscribe',
    'no/such',
  ])('%s is 404', async (method) => {
    const response = await ask(method);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -32_601 } });
  });

  test('for a resource that is not there says so in words of its era', async () => {
    const answer = await answerOf(await ask('resources/read', { uri: 'test://none' }));
    expect(answer).toMatchObject({ error: { code: -32_602, data: { uri: 'test://none' } } });
  });

  test('a backend’s own errors are content', async () => {
    const response = await call('fail');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ error: { code: -32_050, data: { tray: 2 } } });
  });

  test('an answer that cannot be written is an error of the backend', async () => {
    expect(await answerOf(await call('abyss'))).toMatchObject({ id: 1, error: { code: -32_603 } });
    expect(site.broker.leases).toBe(0);
  });

  test('a notification is accepted, an answer is not', async () => {
    const headers = { 'mcp-protocol-version': '2026-07-28' };
    const notification = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    expect((await sendRaw(one(), { token, headers, body: notification })).status).toBe(202);
    const answer = { jsonrpc: '2.0', id: 1, result: {} };
    expect((await sendRaw(one(), { token, headers, body: answer })).status).toBe(400);
  });

  test.each(['GET', 'DELETE'])('%s is gone', async (method) => {
    const headers = { 'mcp-protocol-version': '2026-07-28' };
    expect((await sendRaw(one(), { method, token, headers })).status).toBe(405);
  });

  describe('for a tool that wants arguments in headers', () => {
    const forecast = async (given: JsonObject, headers: Record<string, string>) => {
      const params = { name: 'forecast', arguments: given };
      const response = await sendModern(one(), token, { method: 'tools/call', params }, { headers });
      return { status: response.status, answer: await answerOf(response) };
    };

    test.each([
      ['repeats them', { region: 'north', days: 2 }, { 'mcp-param-region': 'north', 'mcp-param-days': '2' }],
      ['writes a number in another way', { days: 2 }, { 'mcp-param-days': '2.0' }],
      ['has to encode one', { region: 'köln' }, { 'mcp-param-region': '=?base64?a8O2bG4=?=' }],
      ['sends no value', { region: null }, {}],
      ['sends a header too many', {}, { 'mcp-param-region': 'north' }],
    ])('is answered when it %s', async (_what, given, headers) => {
      await ask('tools/list');
      expect(await forecast(given, headers as Record<string, string>)).toMatchObject({
        status: 200,
        answer: { result: { content: [{ text: 'rain' }] } },
      });
    });

    test.each([
      ['is missing', { region: 'north' }, {}, 'mcp-param-Region'],
      ['disagrees', { region: 'north' }, { 'mcp-param-region': 'south' }, 'mcp-param-Region'],
      ['is another number', { days: 2 }, { 'mcp-param-days': '3' }, 'mcp-param-Days'],
      ['is no number', { days: 2 }, { 'mcp-param-days': '0x2' }, 'mcp-param-Days'],
      ['is no Base64', { region: 'a' }, { 'mcp-param-region': '=?base64?Y?Q==?=' }, 'mcp-param-Region'],
    ])('is refused when one %s', async (_what, given, headers, header) => {
      await ask('tools/list');
      const before = site.broker.calls.length;
      expect(await forecast(given, headers as Record<string, string>)).toMatchObject({
        status: 400,
        answer: { id: 1, error: { code: -32_020, data: { header } } },
      });
      expect([site.broker.calls.length - before, site.broker.leases]).toEqual([0, 0]);
    });

    test('is let through as long as nobody here has seen the list', async () => {
      expect(await forecast({ region: 'north' }, {})).toMatchObject({ status: 200 });
    });
  });

  test('hears logs only when it asks for them', async () => {
    expect(await answerOf(await call('log'))).toHaveProperty('result');
    expect((await call('log')).headers.get('content-type')).toBe('application/json');
    const _meta = { 'io.modelcontextprotocol/logLevel': 'error' };
    const messages = await new EventReader(await call('log', { _meta })).rest();
    expect(messages).toMatchObject([{ method: 'notifications/message' }, { id: 1 }]);
  });

  test('is called off when its connection ends', async () => {
    const aborting = new AbortController();
    const response = sendModern(
      one(),
      token,
      { method: 'tools/call', params: { name: 'gate' } },
      { signal: aborting.signal },
    );
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    await response;
    aborting.abort();
    await until('the call is over', () => site.broker.leases === 0);
    expect(site.broker.calls[0]?.signal.aborted).toBe(true);
  });

  test('that is silent for long is kept open, and closes its connection when it was to be JSON', async () => {
    const response = call('gate');
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    const reader = (await response).body?.getReader();
    const seen = async () => new TextDecoder().decode((await reader?.read())?.value);
    expect(await seen()).toBe(': open\n\n');
    site.front.keepAlive();
    expect(await seen()).toBe(': keep-alive\n\n');
    await reader?.cancel();
    await until('the call is called off', () => site.broker.leases === 0);
    const params = { name: 'gate' };
    const headers = { accept: 'application/json' };
    const plain = sendModern(one(), token, { method: 'tools/call', params }, { headers });
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    site.broker.openGate();
    expect((await plain).headers.get('connection')).toBe('close');
  });

  test('that takes its time ends with its grant', async () => {
    const { id, token: mine } = await site.grant(userId);
    const response = call('gate', {}, {}, mine);
    await until('the call is under way', () => site.broker.leases === 1);
    await clock.advance(250);
    await site.things.ledger.end(id, { reason: 'ended_by_user' });
    expect(await answerOf(await response)).toHaveProperty('error');
    expect(site.broker.leases).toBe(0);
  });
});

describe('headers and body', () => {
  const list = { jsonrpc: '2.0', id: 9, method: 'tools/list', params: { _meta: MODERN_META } };
  const named = { ...list, method: 'tools/call', params: { name: 'echo', _meta: MODERN_META } };
  const good = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
  const goodCall = { ...good, 'mcp-method': 'tools/call', 'mcp-name': 'echo' };
  const version = (value: string) => ({
    ...list,
    params: { _meta: { ...MODERN_META, 'io.modelcontextprotocol/protocolVersion': value } },
  });

  test.each<[string, JsonObject, Record<string, string>, number]>([
    ['no version header', list, { 'mcp-method': 'tools/list' }, -32_020],
    ['another version in the header', list, { ...good, 'mcp-protocol-version': '2025-11-25' }, -32_020],
    ['no method header', list, { 'mcp-protocol-version': '2026-07-28' }, -32_020],
    ['another method in the header', list, { ...good, 'mcp-method': 'tools/call' }, -32_020],
    ['no name header', named, { ...good, 'mcp-method': 'tools/call' }, -32_020],
    ['another name in the header', named, { ...goodCall, 'mcp-name': 'gate' }, -32_020],
    ['an unknown version', version('v999.0.0'), { ...good, 'mcp-protocol-version': 'v999.0.0' }, -32_022],
    ['a version to come', version('2031-01-01'), { ...good, 'mcp-protocol-version': '2031-01-01' }, -32_022],
    ['no _meta', { ...list, params: {} }, good, -32_602],
    ['_meta that is a word', { ...list, params: { _meta: 'x' } }, good, -32_602],
    [
      'no capabilities',
      { ...list, params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } } },
      good,
      -32_602,
    ],
    [
      'a level that there is not',
      { ...list, params: { _meta: { ...MODERN_META, 'io.modelcontextprotocol/logLevel': 'loud' } } },
      good,
      -32_602,
    ],
  ])('that disagree are refused: %s', async (_what, body, headers, code) => {
    const response = await sendRaw(one(), { token, body, headers });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id: 9, error: { code } });
    expect(site.broker.calls).toHaveLength(0);
  });

  test('an unknown version is told what there is', async () => {
    const headers = { ...good, 'mcp-protocol-version': 'v999.0.0' };
    const response = await sendRaw(one(), { token, body: version('v999.0.0'), headers });
    expect(await response.json()).toMatchObject({
      error: { data: { supported: ['2026-07-28'], requested: 'v999.0.0' } },
    });
  });

  test('a name that no header can carry comes encoded', async () => {
    const name = 'wörk – 仕事';
    const encoded = `=?base64?${Buffer.from(name).toString('base64')}?=`;
    const body = { ...named, params: { name, _meta: MODERN_META } };
    const response = await sendRaw(one(), { token, body, headers: { ...goodCall, 'mcp-name': encoded } });
    expect(await response.json()).toMatchObject({ error: { code: -32_602, message: 'Unknown tool' } });
  });
});

describe('input that a call needs', () => {
  test('ends the request, and comes with the next', async () => {
    const asked = await parked('ask');
    expect(asked).toMatchObject({
      resultType: 'input_required',
      inputRequests: { who: { method: 'elicitation/create', params: { message: 'Who are you?' } } },
    });
    const inputResponses = {
      who: { action: 'accept', content: { name: 'Ada' } },
      extra: { action: 'cancel' },
    };
    const answer = await call('ask', { requestState: asked['requestState'], inputResponses }, ABLE);
    expect(JSON.stringify(await resultOf(answer))).toContain('Ada');
    expect(site.broker.leases).toBe(0);
    expect(site.broker.calls).toHaveLength(1);
  });

  test('of several questions comes as one', async () => {
    const asked = await parked('askThree');
    const requests = asked['inputRequests'] as Record<string, { method: string }>;
    expect(Object.values(requests).map(({ method }) => method)).toEqual([
      'elicitation/create',
      'sampling/createMessage',
      'roots/list',
    ]);
    const inputResponses = Object.fromEntries(Object.keys(requests).map((name) => [name, { name }]));
    const answer = await call('askThree', { requestState: asked['requestState'], inputResponses }, ABLE);
    expect(await resultOf(answer)).toMatchObject({ resultType: 'complete' });
  });

  test('that is missing is asked for again', async () => {
    const asked = await parked('askThree');
    const [first, ...others] = Object.keys(asked['inputRequests'] as JsonObject);
    const inputResponses = { [first ?? '']: { action: 'decline' } };
    const next = call('askThree', { requestState: asked['requestState'], inputResponses }, ABLE);
    let isAnswered = false;
    void next.finally(() => {
      isAnswered = true;
    });
    await until('the question is put again', async () => {
      await clock.advance(20);
      return isAnswered;
    });
    const again = await resultOf(await next);
    expect(Object.keys(again['inputRequests'] as JsonObject)).toEqual(others);
    expect(again['requestState']).not.toBe(asked['requestState']);
  });

  test('is refused for a state that was used, tampered with, of another, or of another call', async () => {
    const asked = await parked('ask');
    const state = String(asked['requestState']);
    const inputResponses = { who: { action: 'decline' } };
    const stranger = (await site.grant(await site.things.addUser())).token;
    const sibling = (await site.grant(userId)).token;
    const tries: (() => Promise<Response>)[] = [
      () => call('ask', { requestState: `${state}x`, inputResponses }, ABLE),
      () => call('ask', { requestState: state.replace(/\.\d+\./, '.9.'), inputResponses }, ABLE),
      () => call('ask', { requestState: 7, inputResponses }, ABLE),
      () => call('ask', { requestState: '', inputResponses }, ABLE),
      () => call('ask', { requestState: state, inputResponses }, ABLE, stranger),
      () => call('ask', { requestState: state, inputResponses }, ABLE, sibling),
      () => call('echo', { requestState: state, inputResponses }, ABLE),
    ];
    for (const attempt of tries) {
      const response = await attempt();
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: -32_602 } });
    }
    expect((await call('ask', { requestState: state, inputResponses }, ABLE)).status).toBe(200);
    expect((await call('ask', { requestState: state, inputResponses }, ABLE)).status).toBe(400);
    expect(site.broker.calls).toHaveLength(1);
  });

  test.each([
    ['a number', 7],
    ['null', null],
    ['a list', []],
    ['numbers by name', { who: 7 }],
  ])('that is %s is refused, and uses nothing up', async (_what, inputResponses) => {
    const asked = await parked('ask');
    const { requestState } = asked;
    const response = await call('ask', { requestState, inputResponses }, ABLE);
    expect(response.status).toBe(400);
    const good = { who: { action: 'decline' } };
    expect((await call('ask', { requestState, inputResponses: good }, ABLE)).status).toBe(200);
  });

  test('from before a restart is −32602', async () => {
    const { requestState } = await parked('ask');
    await site.restart();
    const response = await call('ask', { requestState, inputResponses: {} }, ABLE);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32_602 } });
  });

  test('that nobody brings in five minutes calls the request off', async () => {
    const { requestState } = await parked('ask');
    await clock.advance(300_000);
    expect(site.broker.calls[0]?.signal.aborted).toBe(true);
    expect(site.broker.leases).toBe(0);
    expect((await call('ask', { requestState, inputResponses: {} }, ABLE)).status).toBe(400);
  });

  test('ends with the grant', async () => {
    const { id, token: mine } = await site.grant(userId);
    const response = call('ask', {}, ABLE, mine);
    await until('the backend asks', () => site.broker.leases === 1);
    await clock.advance(20);
    await response;
    await site.things.ledger.end(id, { reason: 'ended_by_user' });
    await until('the lease is given back', () => site.broker.leases === 0);
  });

  test('of too many calls at once is refused', async () => {
    await using small = await temporaryFront({ clock, config: { parked_calls_per_grant: 1 } });
    const { token: mine } = await small.grant(await small.things.addUser());
    const send = () =>
      sendModern(`${small.url}/one`, mine, {
        method: 'tools/call',
        params: { name: 'ask' },
        capabilities: ABLE,
      });
    const both = [send(), send()];
    await until('both ask', () => small.broker.leases === 2);
    await clock.advance(20);
    const answers = await Promise.all(both.map(async (response) => answerOf(await response)));
    expect(answers.filter((answer) => 'error' in answer)).toHaveLength(1);
  });

  test('that a client cannot give: −32021 names it, unless the backend copes', async () => {
    const response = await call('sample');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      id: 1,
      error: { code: -32_021, data: { requiredCapabilities: { sampling: {} } } },
    });
    expect((await call('copes')).status).toBe(200);
  });
});

describe('subscriptions/listen', () => {
  const listen = (notifications: unknown, id: string | number = 'sub') =>
    sendModern(one(), token, { id, method: 'subscriptions/listen', params: { notifications } });

  test('acknowledges what it can, and carries that alone', async () => {
    const wanted = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['test://a'] };
    await using events = new EventReader(await listen(wanted));
    const _meta = { 'io.modelcontextprotocol/subscriptionId': 'sub' };
    expect((await events.next())?.message).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: ['test://a'] }, _meta },
    });
    site.broker.announce('notifications/prompts/list_changed');
    site.broker.announce('notifications/resources/updated', { uri: 'test://b' });
    site.broker.announce('notifications/message', { level: 'error', data: 'x' });
    site.broker.announce('notifications/resources/updated', { uri: 'test://a' });
    expect((await events.next())?.message).toMatchObject({
      method: 'notifications/resources/updated',
      params: { uri: 'test://a', _meta },
    });
    expect(site.broker.leases).toBe(0);
  });

  test('for nothing that there is ends at once', async () => {
    const messages = await new EventReader(await listen({ promptsListChanged: true })).rest();
    expect(messages).toMatchObject([
      { params: { notifications: {} } },
      { id: 'sub', result: { resultType: 'complete' } },
    ]);
    expect(site.broker.views.size).toBe(0);
  });

  test('ends with its grant, with its result', async () => {
    const { id, token: mine } = await site.grant(userId);
    const params = { notifications: { toolsListChanged: true } };
    const response = await sendModern(one(), mine, { method: 'subscriptions/listen', params });
    await using events = new EventReader(response);
    await events.next();
    await site.things.ledger.end(id, { reason: 'ended_by_user' });
    expect(await events.rest()).toMatchObject([{ id: 1, result: {} }]);
    expect(site.broker.views.size).toBe(0);
  });

  test.each([
    ['nothing', undefined],
    ['a list', []],
    ['URIs that are numbers', { resourceSubscriptions: [1] }],
    ['a URI that the backend refuses', { resourceSubscriptions: ['bad:x'] }],
    ['too many URIs', { resourceSubscriptions: Array.from({ length: 300 }, (_, at) => `test://${at}`) }],
  ])('with %s is refused', async (_what, notifications) => {
    const response = await listen(notifications);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32_602 } });
    expect(site.broker.views.size).toBe(0);
  });
});

describe('tools that are not offered', () => {
  test('are neither listed nor called', async () => {
    await using filtered = await temporaryFront({
      backends: (origin) => [
        fixtureBackend('denied', origin, { tools: { allow: undefined, deny: ['echo'] } }),
        fixtureBackend('allowed', origin, { tools: { allow: ['echo', 'gate'], deny: ['gate'] } }),
      ],
    });
    const person = await filtered.things.addUser();
    const names = async (backend: string) => {
      const { token: mine } = await filtered.grant(person, backend);
      const response = await sendModern(`${filtered.url}/${backend}`, mine, { method: 'tools/list' });
      return ((await resultOf(response))['tools'] as { name: string }[]).map(({ name }) => name);
    };
    expect(await names('denied')).not.toContain('echo');
    expect(await names('allowed')).toEqual(['echo']);
    const { token: mine } = await filtered.grant(person, 'allowed');
    const before = filtered.broker.calls.length;
    const params = { name: 'gate', arguments: { secret: 'hush' } };
    const response = await sendModern(`${filtered.url}/allowed`, mine, { method: 'tools/call', params });
    expect(await response.json()).toMatchObject({ error: { code: -32_602 } });
    expect(filtered.broker.calls).toHaveLength(before);
  });
});

describe('what is kept of a call', () => {
  test('is one audit row without arguments, and a count', async () => {
    await call('echo', { arguments: { text: 'top secret' } });
    await call('evil name with spaces');
    await clock.advance(1_000);
    const rows = site.things.auditStore.list({ limit: 10 }).filter(({ action }) => action === 'mcp.call');
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({
      outcome: 'success',
      actorUserId: userId,
      detail: {
        backend: 'one',
        client: 'client-of-a-test',
        method: 'tools/call',
        tool: 'echo',
        result: 'success',
        ms: 0,
      },
    });
    expect(rows[0]?.detail).toMatchObject({ tool: 'other', result: 'error' });
    expect(JSON.stringify(rows)).not.toContain('secret');
    expect(site.things.metrics.render()).toContain(
      'postern_mcp_calls_total{backend="one",outcome="success"} 1',
    );
    expect(site.things.metrics.render()).toContain('postern_mcp_call_seconds_count{backend="one"} 2');
  });
});
