import { afterEach, describe, expect, test } from 'bun:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { INTERNAL_ERROR } from '../../../src/mcp/json-rpc.ts';
import { openConnection } from '../../../src/mcp/open-connection.ts';
import { type OutboundBudget, slots } from '../../../src/mcp/outbound-budget.ts';
import { remoteWire } from '../../../src/mcp/remote-wire.ts';
import type { User } from '../../../src/users/model.ts';
import { errorOf } from '../../support/error-of.ts';
import {
  callExchange,
  callTool,
  exchangeOf,
  remoteBackend,
  type TemporaryBroker,
  temporaryBroker,
  textOf,
} from '../../support/mcp-broker.ts';
import { legacyRemote, modernRemote, type RemoteServer } from '../../support/mcp-remote.ts';
import { recordingView } from '../../support/mcp-view.ts';
import { recordedLog } from '../../support/silent-log.ts';
import { until } from '../../support/until.ts';

const HEADERS = { Authorization: 'Bearer ${upstream.access_token}', 'X-User': '${user.id}' };
let open: { things: TemporaryBroker; remote: RemoteServer } | undefined;

const start = (remote: RemoteServer, overrides: Parameters<typeof remoteBackend>[1] = {}) => {
  const backend = remoteBackend({ url: remote.url, headers: HEADERS }, { provider: 'idp', ...overrides });
  open = { remote, things: temporaryBroker({ backends: [backend] }) };
  return open;
};
afterEach(async () => {
  await open?.things[Symbol.asyncDispose]();
  await open?.remote[Symbol.asyncDispose]();
  open = undefined;
});

describe.each([
  ['legacy, streams', () => legacyRemote(), 'legacy'],
  ['legacy, JSON', () => legacyRemote({ json: true }), 'legacy'],
  ['modern', () => modernRemote(), 'modern'],
] as const)('a remote server (%s)', (kind, make, era) => {
  test('is reached with the token of whoever calls, and fifty calls each get their answer', async () => {
    const { things, remote } = start(make());
    const somebody = await things.holder();
    const lease = await things.broker.lease(somebody);
    expect(lease.connection).toMatchObject({ era, about: { instructions: 'Far away.' } });
    lease.release();
    expect(textOf(await callTool(things.broker, somebody, 'token'))).toBe('Bearer token-1');
    const texts = Array.from({ length: 50 }, (_, n) => `call ${n}`);
    const results = await Promise.all(
      texts.map((text) => callTool(things.broker, somebody, 'echo', { text })),
    );
    expect(results.map(textOf)).toEqual(texts);
    expect(remote.seen.at(-1)?.headers.get('x-user')).toBe(somebody.user.id);
  });

  test('gets a new token by a new connection, while nobody notices', async () => {
    const { things } = start(make());
    const somebody = await things.holder();
    await callTool(things.broker, somebody, 'token');
    things.upstream.refresh(somebody.user.id);
    await until(
      'it has the new token',
      async () => textOf(await callTool(things.broker, somebody, 'token')) === 'Bearer token-2',
    );
  });

  if (kind !== 'legacy, JSON') {
    test('has its progress heard by whoever called', async () => {
      const { things } = start(make());
      const exchange = exchangeOf('tools/call', {
        name: 'progress',
        arguments: {},
        _meta: { progressToken: 'mine' },
      });
      await callExchange(things.broker, await things.holder(), exchange);
      expect(exchange.notified).toMatchObject([
        { method: 'notifications/progress', params: { progressToken: 'mine', progress: 1 } },
      ]);
    });

    test('asks whoever called, and gets the answer', async () => {
      const { things } = start(make());
      const result = await callTool(
        things.broker,
        await things.holder(),
        'ask',
        {},
        {
          capabilities: { elicitation: { form: {} } },
          answer: () => ({ action: 'accept', content: { name: 'Ann' } }),
        },
      );
      expect(JSON.parse(textOf(result))).toMatchObject({ action: 'accept', content: { name: 'Ann' } });
    });
  }

  test('tells of itself to whoever listens', async () => {
    const { things, remote } = start(make());
    const somebody = await things.holder();
    const view = recordingView();
    using _attachment = things.broker.attach(somebody, view);
    await callTool(things.broker, somebody, 'echo', { text: 'x' });
    await until('it was heard', () => {
      remote.changeTools();
      return view.delivered.some(({ method }) => method === 'notifications/tools/list_changed');
    });
  });

  test('hears that a call was cancelled', async () => {
    const { things } = start(make());
    const somebody = await things.holder();
    const exchange = exchangeOf('tools/call', { name: 'slow', arguments: {} });
    const call = errorOf(callExchange(things.broker, somebody, exchange));
    await callTool(things.broker, somebody, 'echo', { text: 'x' });
    exchange.cancel();
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
  });

  test('that is down is an internal error, and is asked again later', async () => {
    const { things, remote } = start(make());
    const somebody = await things.holder();
    remote.instead = () => new Response('down', { status: 503 });
    expect(await errorOf(callTool(things.broker, somebody, 'token'))).toMatchObject({ code: INTERNAL_ERROR });
    remote.instead = undefined;
    expect(textOf(await callTool(things.broker, somebody, 'token'))).toBe('Bearer token-1');
  });

  test('that refuses the token is left, and reached anew', async () => {
    const { things, remote } = start(make());
    const somebody = await things.holder();
    await callTool(things.broker, somebody, 'token');
    remote.instead = () => new Response('who?', { status: 401 });
    expect(await errorOf(callTool(things.broker, somebody, 'token'))).toMatchObject({ code: INTERNAL_ERROR });
    remote.instead = undefined;
    expect(textOf(await callTool(things.broker, somebody, 'token'))).toBe('Bearer token-1');
  });
});

describe('a legacy remote server', () => {
  test('that has lost the protocol session is initialized again with the next call', async () => {
    const { things, remote } = start(legacyRemote());
    const somebody = await things.holder();
    await callTool(things.broker, somebody, 'token');
    remote.forget();
    expect(await errorOf(callTool(things.broker, somebody, 'token'))).toMatchObject({ code: INTERNAL_ERROR });
    expect(textOf(await callTool(things.broker, somebody, 'token'))).toBe('Bearer token-1');
    expect(remote.sessions()).toBe(1);
  });

  test('is told when the connection ends', async () => {
    const { things, remote } = start(legacyRemote());
    const somebody = await things.holder();
    await callTool(things.broker, somebody, 'token');
    expect(remote.sessions()).toBe(1);
    await things.things.ledger.end(somebody.session.id, { reason: 'ended_by_user' });
    await until('the protocol session is gone', () => remote.sessions() === 0);
  });
});

describe('a modern remote server', () => {
  test('hears what each request repeats in headers, and listens for resources', async () => {
    const { things, remote } = start(modernRemote());
    const somebody = await things.holder();
    const view = recordingView();
    using attachment = things.broker.attach(somebody, view);
    await attachment.subscribe('a:1');
    await callTool(things.broker, somebody, 'echo', { text: 'x' });
    const headers = remote.seen.at(-1)?.headers;
    expect(headers?.get('mcp-method')).toBe('tools/call');
    expect(headers?.get('mcp-name')).toBe('echo');
    expect(headers?.get('mcp-protocol-version')).toBe('2026-07-28');
    remote.changeResource('a:2');
    remote.changeResource('a:1');
    await until('it was heard', () => view.delivered.length > 0);
    expect(view.delivered).toEqual([{ method: 'notifications/resources/updated', params: { uri: 'a:1' } }]);
  });
});

describe('an answer that makes no sense', () => {
  const json = (body: string) => new Response(body, { headers: { 'content-type': 'application/json' } });
  const events = (body: string) => new Response(body, { headers: { 'content-type': 'text/event-stream' } });

  test.each([
    ['no JSON', () => json('nonsense')],
    ['too long', () => json(JSON.stringify({ long: 'x'.repeat(2_000_000) }))],
    ['another type', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
    ['a redirect', () => Response.redirect('http://127.0.0.1:9/', 302)],
    ['events without an answer', () => events(': nothing\n\n')],
    ['an endless event', () => events(`data: ${'x'.repeat(2_000_000)}`)],
    ['an event that is no JSON', () => events('data: nonsense\n\n')],
    ['the answer to another request', () => events('data: {"jsonrpc":"2.0","id":99999,"result":{}}\n\n')],
  ])('(%s) is an internal error', async (_what, answer) => {
    const { things, remote } = start(modernRemote());
    const somebody = await things.holder();
    await callTool(things.broker, somebody, 'token');
    remote.instead = answer;
    expect(await errorOf(callTool(things.broker, somebody, 'token'))).toMatchObject({ code: INTERNAL_ERROR });
    remote.instead = undefined;
    expect(textOf(await callTool(things.broker, somebody, 'token'))).toBe('Bearer token-1');
  });
});

test('a secret that was not pasted is asked for', async () => {
  const remote = modernRemote();
  const { things } = start(remote, {
    transport: { kind: 'http', url: remote.url, headers: { 'X-Key': '${secret.KEY}' } },
  });
  expect(await errorOf(callTool(things.broker, await things.holder(), 'token'))).toMatchObject({
    kind: 'forbidden',
    code: 'mcp_secret_missing',
  });
});

describe('what remote servers may keep open at once', () => {
  const wireTo = (remote: RemoteServer, user: User, budget: OutboundBudget) =>
    remoteWire({
      backend: {
        name: 'one',
        messageBytes: 10_000,
        transport: { kind: 'http', url: remote.url, headers: {} },
      },
      values: { user, accessToken: undefined, secret: () => undefined },
      budget,
      clock: systemClock,
      log: recordedLog(),
    });

  test('is bounded: a call too many is refused at once, and room comes back', async () => {
    const { things, remote } = start(legacyRemote());
    const wire = wireTo(remote, await things.addUser(), { calls: slots(1), streams: slots(0) });
    const connection = await openConnection({
      wire,
      knownEra: 'legacy',
      generation: 1,
      hooks: { unsolicited: () => false, askAnybody: () => Promise.reject(new Error('nobody')) },
      clock: systemClock,
      log: recordedLog(),
      probeTimeoutMs: 1_000,
      signal: new AbortController().signal,
    });
    const slow = exchangeOf('tools/call', { name: 'slow', arguments: {} });
    const echo = () => connection.call(exchangeOf('tools/call', { name: 'echo', arguments: { text: 'x' } }));
    const first = errorOf(connection.call(slow));
    expect(await errorOf(echo())).toMatchObject({ code: INTERNAL_ERROR });
    slow.cancel();
    await first;
    await until('there is room', async () => (await errorOf(echo())) === undefined);
    await connection.end();
  });
});
