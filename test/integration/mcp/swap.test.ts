import { describe, expect, test } from 'bun:test';
import type { Holder } from '../../../src/mcp/exchange.ts';
import { errorOf } from '../../support/error-of.ts';
import { settle } from '../../support/manual-clock.ts';
import {
  callTool,
  SERVERS,
  scriptBackend,
  stateOf,
  type TemporaryBroker,
  textOf,
} from '../../support/mcp-broker.ts';
import { brokerOfTest } from '../../support/mcp-broker-of-test.ts';
import { recordingView } from '../../support/mcp-view.ts';
import { until } from '../../support/until.ts';

const BACKEND = scriptBackend(SERVERS.odd, [], { provider: 'idp' });
const open = brokerOfTest();
const start = (backend = BACKEND) => open({ backends: [backend] });

/** How far a start is let go before it is interrupted: from nothing done to all done. */
const TURNS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];
/** Begins a swap of a child that runs, and holds it before the new one is launched, until what this resolves to is called. */
async function heldSwap(things: TemporaryBroker, holder: Holder): Promise<() => void> {
  await stateOf(things.broker, holder);
  const { promise: launching, resolve: atLaunch } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  things.beforeLaunch = () => {
    atLaunch();
    return released;
  };
  things.upstream.refresh(holder.user.id);
  await launching;
  return release;
}
/** Waits for the child of a holder to have this token. */
const serving = (things: TemporaryBroker, holder: Holder, token: string) =>
  until(`the child with ${token} serves`, async () => (await stateOf(things.broker, holder)).token === token);
const swaps = ({ metrics }: TemporaryBroker, outcome: string) =>
  new RegExp(`postern_mcp_swaps_total\\{[^}]*outcome="${outcome}"\\} (\\d+)`).exec(metrics.render())?.[1] ??
  '0';

describe('a new token', () => {
  test('gives its holder a new child, and nobody else', async () => {
    const things = start();
    const [somebody, other] = [await things.holder(), await things.holder()];
    const before = await stateOf(things.broker, somebody);
    const untouched = await stateOf(things.broker, other);
    expect(before.token).toBe('token-1');
    things.upstream.refresh(somebody.user.id);
    await serving(things, somebody, 'token-2');
    expect((await stateOf(things.broker, somebody)).pid).not.toBe(before.pid);
    expect((await stateOf(things.broker, other)).pid).toBe(untouched.pid);
    await until('the old one is gone', () => things.alive() === 2);
    expect(swaps(things, 'success')).toBe('1');
  });

  test('starts nothing where nothing runs', async () => {
    const things = start();
    const somebody = await things.holder();
    things.upstream.refresh(somebody.user.id);
    await settle();
    expect(things.started).toHaveLength(0);
    expect((await stateOf(things.broker, somebody)).token).toBe('token-2');
  });

  test('lets calls in flight finish on the old child, while new ones go to the new one', async () => {
    const things = start();
    const somebody = await things.holder();
    const lease = await things.broker.lease(somebody);
    const waiting = callTool(things.broker, somebody, 'gate', { name: 'old' });
    things.upstream.refresh(somebody.user.id);
    await serving(things, somebody, 'token-2');
    expect(things.alive()).toBe(2);
    const opened = await lease.connection.call({
      method: 'tools/call',
      params: { name: 'open', arguments: { name: 'old' } },
      client: {
        era: 'legacy',
        protocolVersion: '2025-11-25',
        info: undefined,
        capabilities: {},
        logLevel: undefined,
      },
      signal: new AbortController().signal,
      notify: () => undefined,
      ask: () => Promise.reject(new Error('no')),
    });
    expect(textOf(opened)).toBe('open');
    expect(textOf(await waiting)).toBe('through old');
    lease.release();
    await until('the old one is gone', () => things.alive() === 1);
  });

  test('ends calls that take longer than the old token lives, and 30 s', async () => {
    const things = start();
    const somebody = await things.holder();
    things.upstream.token = { accessToken: 'token-1', expiresAt: things.clock.now() + 45_000, version: 1 };
    const waiting = errorOf(callTool(things.broker, somebody, 'gate', { name: 'old' }));
    await stateOf(things.broker, somebody);
    things.upstream.refresh(somebody.user.id);
    await serving(things, somebody, 'token-2');
    await things.clock.advance(44_000);
    expect(things.alive()).toBe(2);
    await things.clock.advance(1_000);
    expect(await waiting).toMatchObject({ code: -32_603 });
    await until('the old one is gone', () => things.alive() === 1);
  });

  test('is told what its predecessor was told: level, subscriptions; and clients look again at the tools', async () => {
    const things = start();
    const somebody = await things.holder();
    const view = recordingView();
    using attachment = things.broker.attach(somebody, view, { logLevel: 'warning', subscriptions: ['a:1'] });
    await stateOf(things.broker, somebody);
    await attachment.subscribe('a:2');
    await attachment.setLogLevel('debug');
    things.upstream.refresh(somebody.user.id);
    await serving(things, somebody, 'token-2');
    expect(await stateOf(things.broker, somebody)).toMatchObject({
      level: 'debug',
      subscriptions: ['a:1', 'a:2'],
      heard: ['notifications/initialized'],
    });
    expect(view.delivered).toEqual([{ method: 'notifications/tools/list_changed', params: undefined }]);
  });

  test('that comes while the child of the one before still starts is not lost', async () => {
    const things = start();
    const somebody = await things.holder();
    await stateOf(things.broker, somebody);
    things.upstream.refresh(somebody.user.id);
    things.upstream.refresh(somebody.user.id);
    things.upstream.refresh(somebody.user.id);
    await serving(things, somebody, 'token-4');
    await until('the others are gone', () => things.alive() === 1);
  });

  test('during a first start replaces that child too', async () => {
    const things = start();
    const somebody = await things.holder();
    const first = stateOf(things.broker, somebody);
    things.beforeLaunch = () => {
      things.beforeLaunch = () => undefined;
      things.upstream.refresh(somebody.user.id);
    };
    await first;
    await serving(things, somebody, 'token-2');
  });

  test('does not keep an unused child alive', async () => {
    const things = start();
    const somebody = await things.holder();
    await stateOf(things.broker, somebody);
    await things.clock.advance(800_000);
    things.upstream.refresh(somebody.user.id);
    await until('it was swapped', () => swaps(things, 'success') === '1');
    await things.clock.advance(100_000);
    expect(things.broker.sweep()).toBe(1);
    await until('nothing runs', () => things.alive() === 0);
  });

  test('one after the other under load: no call fails', async () => {
    const things = start();
    const somebody = await things.holder();
    let calls = 0;
    const over = new AbortController();
    const caller = async () => {
      while (!over.signal.aborted) {
        expect(textOf(await callTool(things.broker, somebody, 'echo', { text: `${++calls}` }))).not.toBe('');
        await settle(1);
      }
    };
    await stateOf(things.broker, somebody);
    const callers = Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => caller()));
    for (let n = 2; n <= 20; n++) {
      things.upstream.refresh(somebody.user.id);
      await serving(things, somebody, `token-${n}`);
    }
    over.abort();
    await callers;
    expect(swaps(things, 'success')).toBe('19');
    expect(calls).toBeGreaterThan(100);
    await until('one child is left', () => things.alive() === 1);
  });
});

describe('a child with the new token that does not start', () => {
  const failing = async () => {
    const things = start();
    const somebody = await things.holder();
    things.upstream.token = { accessToken: 'token-1', expiresAt: things.clock.now() + 10_000, version: 1 };
    await stateOf(things.broker, somebody);
    things.beforeLaunch = () => {
      throw new Error('no memory');
    };
    things.upstream.refresh(somebody.user.id, { expiresAt: things.clock.now() + 3_600_000 });
    await until('it was tried', () => swaps(things, 'failure') === '1');
    return { things, somebody };
  };

  test('leaves the old one serving, and is tried again', async () => {
    const { things, somebody } = await failing();
    expect((await stateOf(things.broker, somebody)).token).toBe('token-1');
    things.beforeLaunch = () => undefined;
    await things.clock.advance(1_000);
    await serving(things, somebody, 'token-2');
  });

  test('costs the grant once the old token has run out', async () => {
    const { things, somebody } = await failing();
    for (let s = 0; s < 10; s++) await things.clock.advance(1_000);
    await until('the grant has ended', () => things.ledger(somebody)?.status === 'revoked');
    expect(things.ledger(somebody)?.revokeReason).toBe('upstream_ended');
    expect(await errorOf(stateOf(things.broker, somebody))).toMatchObject({ code: 'session_ended' });
    await until('nothing runs', () => things.alive() === 0);
  });
});

describe('a token that has run out', () => {
  test('is not used: the call waits for a newer one, or hears of the outage', async () => {
    const things = start();
    const somebody = await things.holder();
    things.upstream.token = { accessToken: 'token-1', expiresAt: things.clock.now() + 10_000, version: 1 };
    await stateOf(things.broker, somebody);
    await things.clock.advance(10_000);
    things.upstream.outage = Object.assign(new Error('down'), { code: 'upstream_unavailable' });
    expect(await errorOf(stateOf(things.broker, somebody))).toMatchObject({ code: 'upstream_unavailable' });
    things.upstream.outage = undefined;
    things.upstream.token = { accessToken: 'token-2', expiresAt: undefined, version: 2 };
    expect((await stateOf(things.broker, somebody)).token).toBe('token-2');
  });

  test('is refused where no account is linked', async () => {
    const things = start();
    const somebody = await things.holder();
    things.upstream.token = undefined;
    expect(await errorOf(stateOf(things.broker, somebody))).toMatchObject({
      kind: 'forbidden',
      code: 'mcp_not_linked',
    });
    expect(things.started).toHaveLength(0);
  });
});

const withSecret = () =>
  scriptBackend(SERVERS.odd, [], {
    transport: {
      ...BACKEND.transport,
      kind: 'stdio',
      env: { TOKEN: '${secret.PAT}' },
    } as typeof BACKEND.transport,
  });

test('a secret that was taken back is not used on', async () => {
  const things = start(withSecret());
  const somebody = await things.holder();
  things.upstream.secrets.set('PAT', 'one');
  expect((await stateOf(things.broker, somebody)).token).toBe('one');
  things.upstream.changeSecret(somebody.user.id, 'PAT', undefined);
  await until('nothing runs', () => things.alive() === 0);
  expect(things.broker.placesTaken).toBe(0);
  expect(await errorOf(stateOf(things.broker, somebody))).toMatchObject({ code: 'mcp_secret_missing' });
  things.upstream.changeSecret(somebody.user.id, 'PAT', 'two');
  expect((await stateOf(things.broker, somebody)).token).toBe('two');
});

test('a secret that was pasted anew reaches the child', async () => {
  const things = start(withSecret());
  const somebody = await things.holder();
  things.upstream.secrets.set('PAT', 'one');
  expect((await stateOf(things.broker, somebody)).token).toBe('one');
  things.upstream.changeSecret(somebody.user.id, 'OTHER', 'x');
  things.upstream.changeSecret(somebody.user.id, 'PAT', 'two');
  await serving(things, somebody, 'two');
  expect(things.started).toHaveLength(2);
});

describe('whatever ends a grant', () => {
  const end = (things: TemporaryBroker, { session }: Holder) =>
    things.things.ledger.end(session.id, { reason: 'ended_by_user' });

  test('before the new child is started: none is', async () => {
    const things = start();
    const somebody = await things.holder();
    const goOn = await heldSwap(things, somebody);
    await end(things, somebody);
    goOn();
    await until('nothing runs', () => things.alive() === 0);
    await settle();
    expect(things.alive()).toBe(0);
  });

  test('while the new child starts, at every turn of it: none is left', async () => {
    for (const turns of TURNS) {
      const things = start();
      const somebody = await things.holder();
      await stateOf(things.broker, somebody);
      things.upstream.refresh(somebody.user.id);
      await settle(turns);
      await end(things, somebody);
      await until(`nothing runs (${turns})`, () => things.alive() === 0);
      await settle();
      expect(things.alive()).toBe(0);
      expect(things.broker.running(somebody.user.id)).toEqual([]);
      await things[Symbol.asyncDispose]();
    }
  });

  test('while a first child starts, at every turn of it: none is left', async () => {
    for (const turns of TURNS) {
      const things = start();
      const somebody = await things.holder();
      const call = errorOf(stateOf(things.broker, somebody));
      await settle(turns);
      await end(things, somebody);
      await call;
      await until(`nothing runs (${turns})`, () => things.alive() === 0);
      await things[Symbol.asyncDispose]();
    }
  });
});

describe('a child that exits while its successor starts', () => {
  test('is followed by it where somebody waits, and nothing is started twice', async () => {
    const things = start();
    const somebody = await things.holder();
    const goOn = await heldSwap(things, somebody);
    await errorOf(callTool(things.broker, somebody, 'crash'));
    const call = stateOf(things.broker, somebody);
    await settle();
    goOn();
    expect((await call).token).toBe('token-2');
    expect(things.started).toHaveLength(2);
    expect(things.places()).toBe(1);
  });

  test('takes it with it where nobody does', async () => {
    const things = start();
    const somebody = await things.holder();
    const goOn = await heldSwap(things, somebody);
    await errorOf(callTool(things.broker, somebody, 'crash'));
    goOn();
    await until('nothing runs', () => things.started.length === 2 && things.alive() === 0);
    expect(things.places()).toBe(0);
  });
});
