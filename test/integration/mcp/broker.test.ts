import { describe, expect, test } from 'bun:test';
import { INTERNAL_ERROR, type JsonObject, JsonRpcError } from '../../../src/mcp/json-rpc.ts';
import { errorOf } from '../../support/error-of.ts';
import { settle } from '../../support/manual-clock.ts';
import { callTool, exchangeOf, SERVERS, scriptBackend, stateOf, textOf } from '../../support/mcp-broker.ts';
import { brokerOfTest } from '../../support/mcp-broker-of-test.ts';
import { until } from '../../support/until.ts';

const start = brokerOfTest();

describe('a child', () => {
  test('is started by the first lease, and serves all further ones of its grant', async () => {
    const { broker, holder, started } = start();
    const somebody = await holder();
    const states = await Promise.all([1, 2, 3].map(() => stateOf(broker, somebody)));
    expect(new Set(states.map(({ pid }) => pid)).size).toBe(1);
    expect(started).toHaveLength(1);
    expect(broker.running(somebody.user.id)).toMatchObject([{ backend: 'one', pid: states[0]?.pid }]);
    expect(broker.running(somebody.user.id)[0]?.memoryBytes).toBeGreaterThan(1_000_000);
  });

  test('belongs to one grant: another of the same person, and of another person, have their own', async () => {
    const { broker, holder, addUser } = start();
    const user = await addUser();
    const pids = await Promise.all(
      [await holder(undefined, user), await holder(undefined, user), await holder()].map((each) =>
        stateOf(broker, each),
      ),
    );
    expect(new Set(pids.map(({ pid }) => pid)).size).toBe(3);
  });

  test('belongs to one protocol session where the backend is not shared', async () => {
    const backend = scriptBackend(SERVERS.odd, [], { sharing: 'session' });
    const { broker, holder, alive } = start({ backends: [backend] });
    const somebody = await holder();
    const first = { ...somebody, protocolSessionId: 'a' };
    const second = { ...somebody, protocolSessionId: 'b' };
    const [one, other] = await Promise.all([stateOf(broker, first), stateOf(broker, second)]);
    expect(one?.pid).not.toBe(other?.pid);
    broker.forget(first);
    await until('the forgotten child is gone', () => alive() === 1);
    expect((await stateOf(broker, second)).pid).toBe(other?.pid ?? 0);
  });

  test('ends with its grant, at once and in the middle of a call', async () => {
    const { broker, holder, things, alive } = start();
    const somebody = await holder();
    const call = errorOf(callTool(broker, somebody, 'gate', { name: 'never' }));
    await stateOf(broker, somebody);
    await things.ledger.end(somebody.session.id, { reason: 'ended_by_user' });
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
    await until('no child is left', () => alive() === 0);
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({ code: 'session_ended' });
  });

  test('is not started for a grant that has ended', async () => {
    const { broker, holder, things, started } = start();
    const somebody = await holder();
    await things.ledger.end(somebody.session.id, { reason: 'ended_by_user' });
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({
      kind: 'unauthorized',
      code: 'session_ended',
    });
    expect(started).toHaveLength(0);
  });
});

describe('servers of both eras', () => {
  test.each([
    ['one that answers server/discover with an error', [], 1],
    ['one that does not answer it', ['silent-on-discover'], 1],
    ['one that ends itself over it', ['quits-on-discover'], 2],
  ])('are found out: %s is initialized', async (_what, modes, starts) => {
    const { broker, holder, clock, started } = start({ backends: [scriptBackend(SERVERS.odd, modes)] });
    const somebody = await holder();
    const call = callTool(broker, somebody, 'echo', { text: 'hello' });
    if (modes.includes('silent-on-discover')) {
      await until('it was started', () => started.length === 1);
      await clock.advance(2_000);
    }
    expect(textOf(await call)).toBe('hello');
    expect(started).toHaveLength(starts);
  });

  test('a second start asks for what the first one spoke', async () => {
    const { broker, holder, started } = start({
      backends: [scriptBackend(SERVERS.odd, ['quits-on-discover'])],
    });
    await stateOf(broker, await holder());
    await stateOf(broker, await holder());
    expect(started).toHaveLength(3);
  });

  test('a modern one is spoken to as such, with the capabilities of whoever asks', async () => {
    const { broker, holder } = start({ backends: [scriptBackend(SERVERS.modern)] });
    const somebody = await holder();
    const lease = await broker.lease(somebody);
    expect(lease.connection).toMatchObject({ era: 'modern', about: { protocolVersion: '2026-07-28' } });
    const exchange = exchangeOf(
      'tools/call',
      { name: 'test_elicitation', arguments: { message: 'Who?' } },
      {
        capabilities: { elicitation: {} },
        answer: () => ({ action: 'accept', content: { response: 'me' } }),
      },
    );
    const result = await lease.connection.call(exchange);
    lease.release();
    expect(exchange.asked).toMatchObject([{ method: 'elicitation/create', name: 'user_response' }]);
    expect(textOf(result)).toContain('accept');
  });
});

describe('a call', () => {
  test('has its progress with the token of its client, and nothing of other tokens', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    const exchange = exchangeOf('tools/call', {
      name: 'progress',
      arguments: {},
      _meta: { progressToken: 'mine' },
    });
    const lease = await broker.lease(somebody);
    await lease.connection.call(exchange);
    lease.release();
    expect(exchange.notified).toEqual([
      { method: 'notifications/progress', params: { progressToken: 'mine', progress: 1, total: 2 } },
    ]);
  });

  test('of a modern client reaches a legacy server without what only 2026-07-28 knows', async () => {
    const { broker, holder } = start();
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'example.com/own': 1 };
    const result = await callTool(broker, await holder(), 'meta', {}, { era: 'modern', meta });
    expect(JSON.parse(textOf(result))).toEqual({ 'example.com/own': 1 });
  });

  test('is asked back by its server, and the answer finds it', async () => {
    const { broker, holder } = start();
    const answer = (_method: string, params: JsonObject | undefined) => ({
      action: 'accept',
      echo: params?.['message'],
    });
    const result = await callTool(
      broker,
      await holder(),
      'ask',
      { method: 'elicitation/create', params: { message: 'Really?' } },
      { capabilities: { elicitation: {} }, answer },
    );
    expect(JSON.parse(textOf(result))).toEqual({ result: { action: 'accept', echo: 'Really?' } });
  });

  test('whose client refuses has its server told the error', async () => {
    const { broker, holder } = start();
    const answer = () => {
      throw new JsonRpcError(-1, 'No', { why: 'because' });
    };
    const result = await callTool(broker, await holder(), 'ask', { method: 'roots/list' }, { answer });
    expect(JSON.parse(textOf(result))).toEqual({
      error: { code: -1, message: 'No', data: { why: 'because' } },
    });
  });

  test('that is cancelled ends at once, and its server is told', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    const exchange = exchangeOf('tools/call', { name: 'gate', arguments: { name: 'never' } });
    const lease = await broker.lease(somebody);
    const call = errorOf(lease.connection.call(exchange));
    exchange.cancel();
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
    lease.release();
    expect((await stateOf(broker, somebody)).cancelled).toHaveLength(1);
  });

  test('gets the error of its server as it is', async () => {
    const { broker, holder } = start();
    expect(await errorOf(callTool(broker, await holder(), 'fail'))).toMatchObject({
      code: -32_050,
      message: 'Out of paper',
      data: { tray: 2 },
    });
  });

  test('fifty at once each get their own answer', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    const texts = Array.from({ length: 50 }, (_, n) => `call ${n}`);
    const results = await Promise.all(texts.map((text) => callTool(broker, somebody, 'echo', { text })));
    expect(results.map(textOf)).toEqual(texts);
  });

  test('that is one too many for the queue is refused', async () => {
    const limits = { childrenPerUser: 4, children: 16, queue: 1, startTimeoutMs: 5_000 };
    const { broker, holder } = start({ backends: [scriptBackend(SERVERS.odd, [], { limits })] });
    const somebody = await holder();
    const lease = await broker.lease(somebody);
    expect(await errorOf((async () => broker.lease(somebody))())).toMatchObject({
      code: 'mcp_too_many_calls',
    });
    lease.release();
    await stateOf(broker, somebody);
  });

  test('counts for the queue while it waits for its server to start, too', async () => {
    const limits = { childrenPerUser: 4, children: 16, queue: 2, startTimeoutMs: 5_000 };
    const { broker, holder } = start({ backends: [scriptBackend(SERVERS.odd, [], { limits })] });
    const somebody = await holder();
    const waiting = [1, 2].map(async () => broker.lease(somebody));
    expect(await errorOf((async () => broker.lease(somebody))())).toMatchObject({
      code: 'mcp_too_many_calls',
    });
    for (const lease of await Promise.all(waiting)) lease.release();
    await stateOf(broker, somebody);
  });
});

describe('a server that misbehaves', () => {
  test('writes garbage and answers nobody asked for: the call is answered all the same', async () => {
    const { broker, holder, things } = start();
    const somebody = await holder();
    expect(textOf(await callTool(broker, somebody, 'garbage'))).toBe('after the garbage');
    const complaints = things.log.lines.filter(({ message }) => message === 'an MCP server wrote nonsense');
    expect(complaints.length).toBeGreaterThan(3);
    expect(JSON.stringify(complaints)).not.toContain('stolen');
    for (let n = 0; n < 10; n++) await callTool(broker, somebody, 'garbage');
    expect(things.log.lines.filter(({ message }) => message === 'an MCP server wrote nonsense')).toHaveLength(
      10,
    );
  });

  test.each([
    ['an answer that is neither', 'noResult', {}],
    ['an error that is none', 'oddError', {}],
    ['a message that is too long', 'huge', { bytes: 5_000_000 }],
    ['one that is too deep', 'deep', {}],
  ])('%s is an internal error, and the next call works', async (_what, tool, args) => {
    const { broker, holder, things } = start();
    const somebody = await holder();
    const call = errorOf(callTool(broker, somebody, tool, args));
    if (tool === 'deep') {
      await stateOf(broker, somebody);
      await things.ledger.end(somebody.session.id, { reason: 'ended_by_user' });
      expect(await call).toMatchObject({ code: INTERNAL_ERROR });
      return;
    }
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
    expect(textOf(await callTool(broker, somebody, 'echo', { text: 'still here' }))).toBe('still here');
  });

  test('splits characters between writes: they arrive whole', async () => {
    const { broker, holder } = start();
    expect(textOf(await callTool(broker, await holder(), 'split'))).toBe('grüße 🌻');
  });

  test('floods with questions: it is answered, and bounded', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    expect(textOf(await callTool(broker, somebody, 'flood'))).toBe('flooded');
    expect(textOf(await callTool(broker, somebody, 'echo', { text: 'fine' }))).toBe('fine');
  });

  test.each(['crash', 'quit'])(
    'ends in the middle of a call (%s): an internal error, then a new one',
    async (tool) => {
      const { broker, holder, started } = start();
      const somebody = await holder();
      expect(await errorOf(callTool(broker, somebody, tool))).toMatchObject({ code: INTERNAL_ERROR });
      expect(textOf(await callTool(broker, somebody, 'echo', { text: 'again' }))).toBe('again');
      expect(started).toHaveLength(2);
    },
  );

  test('crashes again and again: it is tried again later, and later still', async () => {
    const { broker, holder, clock, started } = start();
    const somebody = await holder();
    await errorOf(callTool(broker, somebody, 'crash'));
    await errorOf(callTool(broker, somebody, 'crash'));
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({
      kind: 'unavailable',
      code: 'mcp_backend_failing',
      retryAfterSeconds: 1,
    });
    expect(started).toHaveLength(2);
    await clock.advance(1_000);
    await errorOf(callTool(broker, somebody, 'crash'));
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({ retryAfterSeconds: 2 });
    await clock.advance(2_000);
    expect((await stateOf(broker, somebody)).pid).toBeGreaterThan(0);
  });

  test('does not start: the caller hears it, and it is tried again later', async () => {
    const { broker, holder } = start({ backends: [scriptBackend(SERVERS.odd, ['dies'])] });
    const somebody = await holder();
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({ code: INTERNAL_ERROR });
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({ code: INTERNAL_ERROR });
    expect(await errorOf(stateOf(broker, somebody))).toMatchObject({ code: 'mcp_backend_failing' });
  });

  test('never says anything: it is ended when its time to start is over', async () => {
    const { broker, holder, clock, started, alive } = start({
      backends: [scriptBackend(SERVERS.odd, ['mute'])],
    });
    const somebody = await holder();
    const call = errorOf(stateOf(broker, somebody));
    await until('it was started', () => started.length === 1);
    await clock.advance(5_000);
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
    await until('it is gone', () => alive() === 0);
  });

  test('ignores the end of its input and SIGTERM: it is killed', async () => {
    const { broker, holder, clock, things, alive } = start({
      backends: [scriptBackend(SERVERS.odd, ['stubborn'])],
    });
    const [stubborn, other] = [await holder(), await holder()];
    await stateOf(broker, stubborn);
    await stateOf(broker, other);
    await things.ledger.end(stubborn.session.id, { reason: 'ended_by_user' });
    expect(alive()).toBe(2);
    await clock.advance(2_000);
    await clock.advance(3_000);
    await until('it is gone', () => alive() === 1);
    expect((await stateOf(broker, other)).pid).toBeGreaterThan(0);
    const closing = broker[Symbol.asyncDispose]();
    await settle();
    await clock.advance(2_000);
    await clock.advance(3_000);
    await closing;
  });
});
