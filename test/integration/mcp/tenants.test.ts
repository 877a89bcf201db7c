import { describe, expect, test } from 'bun:test';
import { errorOf } from '../../support/error-of.ts';
import {
  callTool,
  SERVERS,
  scriptBackend,
  stateOf,
  temporaryBroker,
  textOf,
} from '../../support/mcp-broker.ts';
import { brokerOfTest } from '../../support/mcp-broker-of-test.ts';
import { recordingView } from '../../support/mcp-view.ts';
import { until } from '../../support/until.ts';

const MINUTE = 60_000;
const start = brokerOfTest();

describe('the reaper', () => {
  test('ends a child that nobody used for 15 minutes, and leaves one used a moment ago', async () => {
    const { broker, holder, clock, alive, metrics } = start();
    const [idle, busy] = [await holder(), await holder()];
    await stateOf(broker, idle);
    await clock.advance(14 * MINUTE);
    const { pid } = await stateOf(broker, busy);
    await clock.advance(MINUTE);
    expect(broker.sweep()).toBe(1);
    await until('one child is left', () => alive() === 1);
    expect((await stateOf(broker, busy)).pid).toBe(pid);
    expect(metrics.render()).toContain('postern_mcp_exits_total{backend="one",cause="idle"} 1');
    expect(metrics.render()).toContain('postern_mcp_children{backend="one"} 1');
    await stateOf(broker, idle);
  });

  test('spares a child as long as somebody has a lease', async () => {
    const { broker, holder, clock, alive } = start();
    const somebody = await holder();
    const lease = await broker.lease(somebody);
    await clock.advance(60 * MINUTE);
    expect(broker.sweep()).toBe(0);
    lease.release();
    lease.release();
    expect(broker.sweep()).toBe(0);
    await clock.advance(15 * MINUTE);
    expect(broker.sweep()).toBe(1);
    await until('nothing runs', () => alive() === 0);
  });

  test('takes an open stream for a use only when it carried something', async () => {
    const { broker, holder, clock, alive } = start();
    const somebody = await holder();
    using _silent = broker.attach(somebody, recordingView());
    await stateOf(broker, somebody);
    await clock.advance(15 * MINUTE);
    expect(broker.sweep()).toBe(1);
    await until('nothing runs', () => alive() === 0);
  });

  test('racing with a lease: whoever has a lease has a child', async () => {
    const { broker, holder, clock } = start();
    const somebody = await holder();
    await stateOf(broker, somebody);
    await clock.advance(15 * MINUTE);
    const call = callTool(broker, somebody, 'echo', { text: 'in time' });
    expect(broker.sweep()).toBe(0);
    expect(textOf(await call)).toBe('in time');
    await clock.advance(15 * MINUTE);
    expect(broker.sweep()).toBe(1);
    expect(textOf(await callTool(broker, somebody, 'echo', { text: 'a new one' }))).toBe('a new one');
  });
});

describe('limits', () => {
  test('a child that nobody uses makes room for another of the same person', async () => {
    const { broker, holder, addUser, alive, places } = start({ limits: { perUser: 2, total: 16 } });
    const user = await addUser();
    const holders = [
      await holder(undefined, user),
      await holder(undefined, user),
      await holder(undefined, user),
    ];
    for (const each of holders) await stateOf(broker, each);
    await until('one made room', () => alive() === 2);
    expect(places()).toBe(2);
  });

  test('children in use do not: the call is refused, and changes nothing', async () => {
    const { broker, holder, addUser, places } = start({ limits: { perUser: 1, total: 16 } });
    const user = await addUser();
    const [first, second] = [await holder(undefined, user), await holder(undefined, user)];
    const lease = await broker.lease(first);
    expect(await errorOf(stateOf(broker, second))).toMatchObject({
      kind: 'too_many_requests',
      code: 'mcp_too_many_children',
    });
    expect(places()).toBe(1);
    lease.release();
    await stateOf(broker, second);
    expect(places()).toBe(1);
  });

  test('of one backend and of all hold too', async () => {
    const limits = { childrenPerUser: 1, children: 2, queue: 10, startTimeoutMs: 5_000 };
    const backend = scriptBackend(SERVERS.odd, [], { limits });
    const { broker, holder } = start({ backends: [backend], limits: { perUser: 8, total: 16 } });
    const leases = [await broker.lease(await holder()), await broker.lease(await holder())];
    expect(await errorOf(stateOf(broker, await holder()))).toMatchObject({ code: 'mcp_too_many_children' });
    for (const lease of leases) lease.release();
    await stateOf(broker, await holder());
  });

  test('a start that fails gives its place back', async () => {
    const { broker, holder, places } = start({ backends: [scriptBackend(SERVERS.odd, ['dies'])] });
    await errorOf(stateOf(broker, await holder()));
    expect(places()).toBe(0);
  });
});

describe('views', () => {
  test('hear what belongs to no call, each what it asked for', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    const [one, other] = [recordingView(), recordingView()];
    using first = broker.attach(somebody, one);
    using second = broker.attach(somebody, other);
    await first.subscribe('a:1');
    await first.subscribe('a:2');
    await second.subscribe('a:2');
    await callTool(broker, somebody, 'change');
    expect(one.delivered.map(({ method, params }) => params?.['uri'] ?? method)).toEqual([
      'notifications/tools/list_changed',
      'a:1',
      'a:2',
    ]);
    expect(other.delivered.map(({ method, params }) => params?.['uri'] ?? method)).toEqual([
      'notifications/tools/list_changed',
      'a:2',
    ]);
    second[Symbol.dispose]();
    expect((await stateOf(broker, somebody)).subscriptions).toEqual(['a:1', 'a:2']);
    await first.unsubscribe('a:2');
    expect((await stateOf(broker, somebody)).subscriptions).toEqual(['a:1']);
    first[Symbol.dispose]();
    expect((await stateOf(broker, somebody)).subscriptions).toEqual([]);
  });

  test('that subscribe to what is not there hear the error of the server', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    using attachment = broker.attach(somebody, recordingView());
    expect(await errorOf(attachment.subscribe('bad:1'))).toMatchObject({ code: -32_002 });
    await attachment.subscribe('a:1');
    expect((await stateOf(broker, somebody)).subscriptions).toEqual(['a:1']);
  });

  test('share one level: the most verbose that any wants', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    using first = broker.attach(somebody, recordingView(), { logLevel: 'error' });
    expect((await stateOf(broker, somebody)).level).toBe('error');
    const second = broker.attach(somebody, recordingView(), { logLevel: 'debug' });
    expect((await stateOf(broker, somebody)).level).toBe('debug');
    second[Symbol.dispose]();
    expect((await stateOf(broker, somebody)).level).toBe('error');
    await first.setLogLevel('info');
    expect((await stateOf(broker, somebody)).level).toBe('info');
  });

  test('are asked where no call is open, and the newest that can answers', async () => {
    const { broker, holder } = start();
    const somebody = await holder();
    using _deaf = broker.attach(somebody, recordingView());
    const lease = await broker.lease(somebody);
    lease.release();
    using _able = broker.attach(
      somebody,
      recordingView(() => ({ roots: [] }), { roots: {} }),
    );
    const result = await callTool(
      broker,
      somebody,
      'ask',
      { method: 'roots/list' },
      { answer: () => ({ roots: [1] }) },
    );
    expect(JSON.parse(textOf(result))).toEqual({ result: { roots: [1] } });
  });
});

describe('what a server said of itself', () => {
  test('is known after its first start, for that person alone', async () => {
    const { broker, holder, things } = start();
    const somebody = await holder();
    expect(broker.cachedAbout(somebody)).toBeUndefined();
    await stateOf(broker, somebody);
    expect(broker.cachedAbout(somebody)).toMatchObject({ serverInfo: { name: 'odd' }, instructions: 'Odd.' });
    expect(broker.cachedAbout(await holder())).toBeUndefined();
    await things.db.write(() => undefined);
    const again = temporaryBroker({ things });
    expect(again.broker.cachedAbout(somebody)).toMatchObject({ serverInfo: { name: 'odd' } });
    const changed = { ...somebody, backend: scriptBackend(SERVERS.odd, ['other']) };
    expect(again.broker.cachedAbout(changed)).toBeUndefined();
    await again[Symbol.asyncDispose]();
  });
});

test('who depends on tokens is who has something running with them', async () => {
  const backend = scriptBackend(SERVERS.odd, [], { provider: 'idp' });
  const { broker, holder, clock } = start({ backends: [backend] });
  const somebody = await holder();
  expect([...broker.dependents()]).toEqual([]);
  await stateOf(broker, somebody);
  expect([...broker.dependents()]).toEqual([{ userId: somebody.user.id, provider: 'idp' }]);
  await clock.advance(15 * MINUTE);
  broker.sweep();
  expect([...broker.dependents()]).toEqual([]);
});

describe('closing', () => {
  test('while a child is being launched ends it too, and whoever waits hears 503', async () => {
    const things = start();
    const somebody = await things.holder();
    let goOn: (() => void) | undefined;
    things.beforeLaunch = () =>
      new Promise<void>((resolve) => {
        goOn = resolve;
      });
    const call = errorOf(stateOf(things.broker, somebody));
    await until('it is being launched', () => goOn !== undefined);
    const closing = things.broker[Symbol.asyncDispose]();
    goOn?.();
    await closing;
    expect(await call).toMatchObject({ kind: 'unavailable', code: 'shutting_down' });
    expect(things.alive()).toBe(0);
    expect(await errorOf(stateOf(things.broker, somebody))).toMatchObject({ code: 'shutting_down' });
  });

  test('ends calls at once', async () => {
    const things = start();
    const somebody = await things.holder();
    const call = errorOf(callTool(things.broker, somebody, 'gate', { name: 'never' }));
    await stateOf(things.broker, somebody);
    await things.broker[Symbol.asyncDispose]();
    expect(await call).toMatchObject({ code: -32_603 });
  });
});

test('the end of a grant ends its calls at once, however stubborn the server', async () => {
  const { broker, holder, things, clock, alive } = start({
    backends: [scriptBackend(SERVERS.odd, ['stubborn'])],
  });
  const somebody = await holder();
  const call = errorOf(callTool(broker, somebody, 'gate', { name: 'never' }));
  await stateOf(broker, somebody);
  await things.ledger.end(somebody.session.id, { reason: 'ended_by_user' });
  expect(await call).toMatchObject({ code: -32_603 });
  expect(alive()).toBe(1);
  await clock.advance(2_000);
  await clock.advance(3_000);
  await until('it is gone', () => alive() === 0);
});
