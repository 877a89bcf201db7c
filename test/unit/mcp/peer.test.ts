import { describe, expect, test } from 'bun:test';
import type { ExitCause } from '../../../src/mcp/exchange.ts';
import { INTERNAL_ERROR, type JsonObject, JsonRpcError } from '../../../src/mcp/json-rpc.ts';
import { JsonRpcPeer } from '../../../src/mcp/peer.ts';
import type { Wire, WireReader } from '../../../src/mcp/wire.ts';
import { errorOf } from '../../support/error-of.ts';
import { settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

/** Both ends of a wire in one hand. */
function twoEnds() {
  const sent: JsonObject[] = [];
  const { promise, resolve } = Promise.withResolvers<ExitCause>();
  let read: WireReader = () => undefined;
  const wire: Wire = {
    open: (reader) => {
      read = reader;
    },
    send: (message) => void sent.push(message),
    abandon: () => false,
    speak: () => undefined,
    exited: promise,
    end: () => Promise.resolve(),
    process: undefined,
  };
  const log = recordedLog();
  const peer = new JsonRpcPeer(wire, log);
  return {
    peer,
    sent,
    log,
    say: (message: unknown) => read(message),
    exit: () => resolve({ kind: 'crashed', detail: undefined }),
  };
}

describe('answers', () => {
  test('go to the request with their id, and to no other', async () => {
    const { peer, say } = twoEnds();
    const [one, two] = [peer.request('a', undefined), peer.request('b', { x: 1 })];
    say({ id: 2, result: { of: 'b' } });
    say({ id: 1, result: { of: 'a' } });
    expect(await Promise.all([one, two])).toEqual([{ of: 'a' }, { of: 'b' }]);
  });

  test.each([
    ['a text', '1'],
    ['null', null],
    ['none', undefined],
    ['of the future', 2],
    ['a fraction', 1.5],
    ['an object', {}],
  ])('whose id is %s are nobody’s', async (_what, id) => {
    const { peer, say } = twoEnds();
    const call = peer.request('a', undefined);
    say({ id, result: { stolen: true } });
    say({ id: 1, result: { right: true } });
    expect(await call).toEqual({ right: true });
  });

  test('that come twice count once', async () => {
    const { peer, say, log } = twoEnds();
    const call = peer.request('a', undefined);
    say({ id: 1, result: { first: true } });
    say({ id: 1, result: { second: true } });
    expect(await call).toEqual({ first: true });
    expect(log.lines).toEqual([]);
  });

  test('of older servers may come in a batch; batches in batches are nothing', async () => {
    const { peer, say } = twoEnds();
    const calls = [peer.request('a', undefined), peer.request('b', undefined)];
    say([{ id: 1, result: {} }, [{ id: 2, result: { deep: true } }], { id: 2, result: {} }]);
    expect(await Promise.all(calls)).toEqual([{}, {}]);
  });
});

describe('the end of the wire', () => {
  test('fails what is open, and what comes later', async () => {
    const { peer, sent, exit } = twoEnds();
    const call = errorOf(peer.request('a', undefined));
    exit();
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
    expect(await errorOf(peer.request('b', undefined))).toMatchObject({ code: INTERNAL_ERROR });
    peer.notify('c');
    expect(sent).toHaveLength(1);
  });

  test('on our side too: what comes is not read any more', async () => {
    const { peer, say, sent } = twoEnds();
    const call = errorOf(peer.request('a', undefined));
    peer.close();
    say({ id: 1, result: {} });
    say({ id: 'q', method: 'ping' });
    expect(await call).toMatchObject({ code: INTERNAL_ERROR });
    expect(sent).toHaveLength(1);
  });
});

describe('requests of the other side', () => {
  test('are answered with its own ids', async () => {
    const { peer, say, sent } = twoEnds();
    peer.serve({
      notified: () => undefined,
      asked: (method) => {
        if (method === 'no') throw new JsonRpcError(-5, 'No', { x: 1 });
        if (method === 'bug') throw new Error('secret');
        return { method };
      },
    });
    say({ id: 0, method: 'ping' });
    say({ id: 'q', method: 'yes' });
    await settle();
    say({ id: 7, method: 'no' });
    say({ id: 8, method: 'bug' });
    await settle();
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 0, result: {} },
      { jsonrpc: '2.0', id: 'q', result: { method: 'yes' } },
      { jsonrpc: '2.0', id: 7, error: { code: -5, message: 'No', data: { x: 1 } } },
      { jsonrpc: '2.0', id: 8, error: { code: INTERNAL_ERROR, message: 'It cannot be answered.' } },
    ]);
  });

  test('that it calls off are not answered', async () => {
    const { peer, say, sent } = twoEnds();
    const { promise, resolve } = Promise.withResolvers<JsonObject>();
    peer.serve({ notified: () => undefined, asked: () => promise });
    say({ id: 'q', method: 'slow' });
    say({ method: 'notifications/cancelled', params: { requestId: 'q' } });
    resolve({});
    await settle();
    expect(sent).toEqual([]);
  });

  test.each([null, {}, true, 'x'.repeat(257)])('with an id that is none (%p) are dropped', async (id) => {
    const { peer, say, sent } = twoEnds();
    peer.serve({ notified: () => undefined, asked: () => ({}) });
    say({ id, method: 'a' });
    await settle();
    expect(sent).toEqual([]);
  });

  test('are bounded, and one id is asked once at a time', async () => {
    const { peer, say, sent } = twoEnds();
    peer.serve({ notified: () => undefined, asked: () => new Promise(() => undefined) });
    for (let n = 0; n < 150; n++) say({ id: n, method: 'a' });
    say({ id: 3, method: 'a' });
    await settle();
    expect(sent).toHaveLength(51);
  });
});

test('a request that was called off is rejected once, and its late answer is nobody’s', async () => {
  const { peer, say, sent, log } = twoEnds();
  const calling = new AbortController();
  const call = errorOf(peer.request('a', undefined, { signal: calling.signal }));
  calling.abort();
  say({ id: 1, result: {} });
  expect(await call).toMatchObject({ code: INTERNAL_ERROR });
  expect(sent[1]).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 1 } });
  expect(log.lines).toEqual([]);
  expect(await errorOf(peer.request('b', undefined, { signal: calling.signal }))).toBeInstanceOf(
    JsonRpcError,
  );
  expect(sent).toHaveLength(2);
});
