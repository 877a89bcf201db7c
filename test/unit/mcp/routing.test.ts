import { describe, expect, test } from 'bun:test';
import type { ExitCause } from '../../../src/mcp/exchange.ts';
import type { JsonObject } from '../../../src/mcp/json-rpc.ts';
import { JsonRpcPeer } from '../../../src/mcp/peer.ts';
import { messageRouter } from '../../../src/mcp/routing.ts';
import { exchangeOf } from '../../support/mcp-broker.ts';
import { recordedLog } from '../../support/silent-log.ts';

/** A peer whose server never answers, and a router over it. */
function routed(unsolicited: (method: string) => boolean = () => false) {
  const peer = new JsonRpcPeer(
    {
      open: () => undefined,
      send: () => undefined,
      abandon: () => false,
      speak: () => undefined,
      exited: new Promise<ExitCause>(() => undefined),
      end: () => Promise.resolve(),
      process: undefined,
    },
    recordedLog(),
  );
  const heard: string[] = [];
  const router = messageRouter(peer, {
    unsolicited: (method) => {
      heard.push(method);
      return unsolicited(method);
    },
    askAnybody: async (): Promise<JsonObject> => ({ from: 'a view' }),
  });
  /** Opens a call, and hands out what its client hears. */
  const call = (...[method, params, options]: Parameters<typeof exchangeOf>) => {
    const exchange = exchangeOf(method, params, options);
    peer.request(method, params, { exchange }).catch(() => undefined);
    return exchange;
  };
  return { peer, router, heard, call };
}

const LOG = 'notifications/message';
const CHANGED = 'notifications/tools/list_changed';

describe('what a server says without a relation', () => {
  test('a log message goes to the newest call that wants it, else to the streams', () => {
    const { router, heard, call } = routed();
    const quiet = call('tools/call', {}, { logLevel: 'error' });
    const verbose = call('tools/call', {}, { logLevel: 'debug' });
    const silent = call('tools/call', {}, { era: 'modern' });
    router.notified(LOG, { level: 'info', data: 1 }, undefined);
    expect([quiet.notified.length, verbose.notified.length, silent.notified.length]).toEqual([0, 1, 0]);
    const alone = routed();
    alone.call('tools/call', {}, { era: 'modern' });
    alone.router.notified(LOG, { level: 'info', data: 1 }, undefined);
    expect(alone.heard).toEqual([LOG]);
    expect(heard).toEqual([]);
  });

  test('a change goes to the streams; where none carries it, to the newest call of a legacy client', () => {
    const carried = routed(() => true);
    const one = carried.call('tools/call', {});
    carried.router.notified(CHANGED, undefined, undefined);
    expect(one.notified).toEqual([]);
    const dropped = routed(() => false);
    const legacy = dropped.call('tools/call', {});
    const modern = dropped.call('tools/call', {}, { era: 'modern' });
    dropped.router.notified(CHANGED, undefined, undefined);
    expect(legacy.notified.map(({ method }) => method)).toEqual([CHANGED]);
    expect(modern.notified).toEqual([]);
  });

  test('progress goes by its token alone', () => {
    const { router, call, heard } = routed();
    const one = call('tools/call', { _meta: { progressToken: 'a' } });
    const other = call('tools/call', { _meta: { progressToken: 'a' } });
    router.notified('notifications/progress', { progressToken: 1, progress: 5 }, undefined);
    router.notified('notifications/progress', { progressToken: 'a', progress: 6 }, undefined);
    router.notified('notifications/progress', undefined, undefined);
    expect(one.notified.map(({ params }) => params)).toEqual([{ progressToken: 'a', progress: 5 }]);
    expect([other.notified, heard]).toEqual([[], []]);
  });
});

describe('a question of a server', () => {
  const CAPABLE = { capabilities: { roots: {} } };

  test('goes to the newest call whose client can answer it', async () => {
    const { router, call } = routed();
    const able = call('tools/call', {}, { ...CAPABLE, answer: () => ({ from: 'able' }) });
    call('tools/call', {}, { answer: () => ({ from: 'unable' }) });
    call('tools/list', {}, { ...CAPABLE, era: 'modern', answer: () => ({ from: 'a list' }) });
    expect(await router.asked('roots/list', undefined, undefined)).toEqual({ from: 'able' });
    expect(able.asked).toHaveLength(1);
  });

  test('goes to the newest call all the same when nobody can, so that it can say why', async () => {
    const { router, call } = routed();
    call('tools/call', {}, { answer: () => ({ from: 'the newest' }) });
    expect(await router.asked('roots/list', undefined, undefined)).toEqual({ from: 'the newest' });
  });

  test('goes to a stream when no call is open', async () => {
    expect(await routed().router.asked('roots/list', undefined, undefined)).toEqual({ from: 'a view' });
  });

  test.each([
    ['a name', 'who', 'who'],
    ['a name that cannot be one', 'a b', undefined],
    ['none', undefined, undefined],
  ])('may bring %s', async (_what, given, expected) => {
    const { router, call } = routed();
    const exchange = call('tools/call', {}, CAPABLE);
    await router.asked('roots/list', { _meta: { 'postern/input-name': given } }, undefined);
    expect(exchange.asked[0]?.name).toBe(expected);
  });
});
