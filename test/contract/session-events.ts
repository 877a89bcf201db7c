import { describe, expect, test } from 'bun:test';
import type { SessionSnapshot } from '../../src/sessions/model.ts';
import type { TemporaryLedger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

/** Session events as every implementation shows them to this suite. */
export interface SessionEventsUnderTest extends AsyncDisposable {
  /** Where things happen. */
  readonly here: TemporaryLedger;
  /** Where they are heard of: the same ledger, or that of another process. */
  readonly there: TemporaryLedger;
}

const KEY = Buffer.alloc(32, 7).toString('base64url');
const OTHER_KEY = Buffer.alloc(32, 8).toString('base64url');
const FROM = { provider: undefined, providerSid: undefined, address: '192.0.2.1', userAgent: 'test' };

/** Everything that is told there, and a promise of what is awaited. */
function hear({ ledger }: TemporaryLedger) {
  const told: SessionSnapshot[] = [];
  const subscription = ledger.events.subscribe(
    (snapshots) => told.push(...snapshots),
    () => true,
  );
  return {
    told,
    ends: () => told.filter(({ change }) => change === 'revoked').map(({ session }) => session),
    endsOf: (id: string) =>
      told.filter(({ change, session }) => change === 'revoked' && session.id === id).length,
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  };
}

async function openChild({ db, ledger }: TemporaryLedger, parentId: SessionSnapshot['session']['id']) {
  const { session } = await db.write((tx) =>
    ledger.openChildSession(tx, { parentId, host: 'app.example.test', origin: FROM }),
  );
  return session;
}

async function openDevice({ db, ledger }: TemporaryLedger, userId: SessionSnapshot['session']['userId']) {
  const { session } = await db.write((tx) =>
    ledger.openDevice(tx, {
      userId,
      issuedBy: undefined,
      deviceId: 'dev_1',
      clientPublicKey: KEY,
      label: 'a device',
      origin: FROM,
    }),
  );
  return session;
}

export function describeSessionEvents(name: string, open: () => Promise<SessionEventsUnderTest>): void {
  describe(`session events: ${name}`, () => {
    test('an end is told once, as the store says it, and marks what is in memory', async () => {
      await using t = await open();
      const { session, token } = await t.here.signIn(await t.here.addUser());
      const [audience] = session.audience;
      if (audience === undefined) throw new Error('a session without an audience');
      const ask = async () => await t.there.ledger.authenticate(token, 'cookie', audience);
      expect((await ask()).ok).toBe(true);
      using heard = hear(t.there);
      const closed: string[] = [];
      using _live = t.there.ledger.attach(session.id, (reason) => void closed.push(reason));
      await t.here.ledger.end(session.id, { reason: 'signed_out' });
      await until('the end is told', () => heard.endsOf(session.id) > 0);
      expect(await ask()).toEqual({ ok: false, reason: 'revoked' });
      expect(closed).toEqual(['signed_out']);
      const [ended] = heard.ends();
      expect(ended).toEqual((await t.here.ledger.find(session.id)) ?? session);
      expect(ended).toMatchObject({ status: 'revoked', revokeReason: 'signed_out' });

      // What follows is told after it: by then it would have been told twice.
      const other = await t.here.signIn(session.userId);
      await t.here.ledger.end(other.session.id, { reason: 'signed_out' });
      await until('the next end is told', () => heard.endsOf(other.session.id) > 0);
      expect(heard.endsOf(session.id)).toBe(1);
    });

    test('descendants are told of with their parent', async () => {
      await using t = await open();
      const { session } = await t.here.signIn(await t.here.addUser());
      const child = await openChild(t.here, session.id);
      using heard = hear(t.there);
      await t.here.ledger.end(session.id, { reason: 'ended_by_owner' });
      await until('both are told', () => heard.endsOf(child.id) > 0);
      expect(heard.ends()).toMatchObject([
        { id: session.id, revokeReason: 'ended_by_owner' },
        { id: child.id, revokeReason: 'parent_ended' },
      ]);
    });

    test('everything of a user is told, session by session, and nothing that stays', async () => {
      await using t = await open();
      const userId = await t.here.addUser();
      const ended = [await t.here.signIn(userId), await t.here.signIn(userId), await t.here.signIn(userId)];
      const kept = await t.here.signIn(userId);
      const device = await openDevice(t.here, userId);
      using heard = hear(t.there);
      await t.here.ledger.endAll(userId, { reason: 'everywhere', except: kept.session.id });
      for (const { session } of ended) await until('each is told', () => heard.endsOf(session.id) > 0);
      expect([heard.endsOf(kept.session.id), heard.endsOf(device.id)]).toEqual([0, 0]);
    });

    test('a device is told of as any other', async () => {
      await using t = await open();
      const device = await openDevice(t.here, await t.here.addUser());
      using heard = hear(t.there);
      await t.here.ledger.end(device.id, { reason: 'unpaired' });
      await until('it is told', () => heard.endsOf(device.id) > 0);
      expect(heard.ends()[0]).toMatchObject({ clientPublicKey: KEY, revokeReason: 'unpaired' });
    });

    test('a device whose key is another is recognised by that alone, and what it held open is closed', async () => {
      await using t = await open();
      const device = await openDevice(t.here, await t.here.addUser());
      const ask = async () => await t.there.ledger.recogniseDevice(device.id);
      expect(await ask()).toMatchObject({ ok: true, publicKey: KEY });
      const closed: string[] = [];
      using _tunnel = t.there.ledger.attach(device.id, (reason) => void closed.push(reason), KEY);
      await t.here.db.write((tx) => t.here.ledger.changeDeviceKey(tx, device.id, OTHER_KEY));
      await until('the tunnel is closed', () => closed.length > 0);
      expect(closed).toEqual(['replaced']);
      expect(await ask()).toMatchObject({ ok: true, publicKey: OTHER_KEY });
    });

    test('nothing is told of what was rolled back', async () => {
      await using t = await open();
      const { session } = await t.here.signIn(await t.here.addUser());
      using heard = hear(t.there);
      const failing = t.here.db.write((tx) => {
        t.here.ledger.endIn(tx, session.id, { reason: 'signed_out' });
        throw new Error('no');
      });
      expect(await failing.catch((error: Error) => error.message)).toBe('no');
      const marker = await t.here.signIn(session.userId);
      await t.here.ledger.end(marker.session.id, { reason: 'signed_out' });
      await until('what follows is told', () => heard.endsOf(marker.session.id) > 0);
      expect(heard.endsOf(session.id)).toBe(0);
    });

    test('what begins is told, whole', async () => {
      await using t = await open();
      using heard = hear(t.there);
      const { session } = await t.here.signIn(await t.here.addUser());
      await until('it is told', () => heard.told.some((each) => each.session.id === session.id));
      expect(heard.told).toMatchObject([{ session: { id: session.id, status: 'active', origin: FROM } }]);
    });

    test('a listener that fails takes nothing from the others, and one that left hears nothing', async () => {
      await using t = await open();
      const { session } = await t.here.signIn(await t.here.addUser());
      using _failing = t.there.ledger.events.subscribe(() => {
        throw new Error('no');
      });
      const left = hear(t.there);
      left[Symbol.dispose]();
      using heard = hear(t.there);
      await t.here.ledger.end(session.id, { reason: 'signed_out' });
      await until('it is told', () => heard.told.some((each) => each.session.id === session.id));
      expect(left.told).toEqual([]);
      // That it began may have been told it as well.
      expect(t.there.metrics.render()).toMatch(
        /postern_session_events_dropped_total\{component="listeners",reason="listener_failed"\} [12]$/m,
      );
    });

    test('what is told is owed no longer', async () => {
      await using t = await open();
      const { session } = await t.here.signIn(await t.here.addUser());
      await t.here.ledger.end(session.id, { reason: 'signed_out' });
      await until('nothing is owed', async () => {
        await t.here.ledger.flush();
        return (await owed(t.here)) === 0;
      });
    });

    test('ending it twice is harmless', async () => {
      await using t = await open();
      await t.here.ledger[Symbol.asyncDispose]();
      await t.here.ledger[Symbol.asyncDispose]();
    });
  });
}

async function owed({ db }: TemporaryLedger): Promise<number> {
  const { outboxStore } = await import('../../src/sessions/store-outbox.ts');
  return outboxStore(db).after(0, 1_000).length;
}
