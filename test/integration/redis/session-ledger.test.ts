import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { endEverything } from '../../../src/ops/store-restored.ts';
import { hostAudience, originAudience } from '../../../src/sessions/audience.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { type SharedLedger, sharedLedger } from '../../support/shared-ledger.ts';
import { until } from '../../support/until.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const FROM = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
const OVER = { ok: false, reason: expect.stringMatching(/^(revoked|unknown)$/) } as const;
const MINUTE = 60_000;

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

const recognise = (t: SharedLedger, { token }: Pick<Issued, 'token'>) =>
  t.ledger.authenticate(token, 'cookie', ORIGIN);

/** Another process: nothing in memory, the same database and the same Redis. */
async function beside<T>(t: SharedLedger, use: (other: SharedLedger) => Promise<T>): Promise<T> {
  const other = await sharedLedger(server, { database: t.database, clock: t.clock });
  try {
    return await use(other);
  } finally {
    await other.ledger[Symbol.asyncDispose]();
    other.redis[Symbol.dispose]();
  }
}

const child = (t: SharedLedger, parentId: SessionId, host = 'app.home') =>
  t.db.write((tx) => t.ledger.openChildSession(tx, { parentId, host, origin: FROM }));

/** Redis stands still while this runs: what is asked of it is not answered in time. */
async function whileStalled<T>(act: () => Promise<T>): Promise<T> {
  server.pause();
  try {
    return await act();
  } finally {
    server.resume();
  }
}

const device = (t: SharedLedger, userId: UserId) =>
  t.db.write((tx) =>
    t.ledger.openDevice(tx, {
      userId,
      issuedBy: undefined,
      deviceId: 'dev_of_a_test',
      clientPublicKey: 'key',
      label: 'lamp',
      origin: FROM,
    }),
  );
const guest = (t: SharedLedger, parentId: SessionId) =>
  t.db.write((tx) =>
    t.ledger.openGuestSession(tx, {
      parentId,
      linkId: 'gst_of_a_test',
      host: 'lamp.home',
      expiresAt: t.clock.now() + 60 * MINUTE,
      origin: FROM,
    }),
  );

describe('a session in Redis', () => {
  test('is one in every process, and over in every process', async () => {
    await using t = await sharedLedger(server);
    const signedIn = await t.signIn(await t.addUser());
    await beside(t, async (other) => {
      expect(await recognise(other, signedIn)).toMatchObject({ ok: true });
      expect(await other.ledger.end(signedIn.session.id, { reason: 'signed_out' })).toBe(true);
    });
    expect(await recognise(t, signedIn)).toEqual(OVER);
    expect(await t.ledger.find(signedIn.session.id)).toEqual({
      ...signedIn.session,
      status: 'revoked',
      revokedAt: t.clock.now(),
      revokeReason: 'signed_out',
    });
  });

  test('leaves nothing in the database but what was revoked', async () => {
    await using t = await sharedLedger(server);
    const signedIn = await t.signIn(await t.addUser());
    const rows = () => t.db.reader.$client.query('SELECT id, status FROM sessions').all();
    expect(rows()).toEqual([]);
    await t.ledger.end(signedIn.session.id, { reason: 'signed_out' });
    expect(rows()).toEqual([{ id: signedIn.session.id, status: 'revoked' }]);
    expect(t.db.reader.$client.query('SELECT * FROM credentials').all()).toEqual([]);
  });

  test('goes with everything else when Redis has lost it, and nothing is an error', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const signedIn = await t.signIn(userId);
    await server.client().flushall();
    expect(await recognise(t, signedIn)).toEqual({ ok: false, reason: 'unknown' });
    expect(await t.ledger.list(userId)).toEqual([]);
    expect(await t.ledger.end(signedIn.session.id, { reason: 'signed_out' })).toBe(false);
    expect(await t.ledger.endAll(userId, { reason: 'everywhere' })).toBe(0);
  });

  test('is nobody’s once its person was removed', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const signedIn = await t.signIn(userId);
    t.db.reader.$client.query('DELETE FROM users WHERE id = ?').run(userId);
    expect(await recognise(t, signedIn)).toEqual({ ok: false, reason: 'unknown' });
    expect(await t.ledger.find(signedIn.session.id)).toBeUndefined();
  });

  test('of a guest ends with the device, whatever Redis says', async () => {
    await using t = await sharedLedger(server);
    const paired = await device(t, await t.addUser());
    const [one, other] = [await guest(t, paired.session.id), await guest(t, paired.session.id)];
    const enter = (at: SharedLedger, { token }: Issued) =>
      at.ledger.authenticate(token, 'cookie', hostAudience('lamp.home'));
    expect(await enter(t, one)).toMatchObject({ ok: true });
    // Nothing in Redis leads from the device to its guests any more.
    await server.client().del(`postern:children:${paired.session.id}`);
    await t.ledger.end(paired.session.id, { reason: 'unpaired' });
    await beside(t, async (process) => {
      for (const each of [one, other]) expect(await enter(process, each)).toEqual(OVER);
    });
    t.db.reader.$client.query('DELETE FROM sessions WHERE id = ?').run(paired.session.id);
    await beside(t, async (process) => expect(await enter(process, other)).toEqual(OVER));
  });
});

describe('everywhere', () => {
  test('ends what no list in Redis tells of any more', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const signedIn = await t.signIn(userId);
    await server.client().del(`postern:user:${userId}`);
    expect(await t.ledger.endAll(userId, { reason: 'everywhere' })).toBe(0);
    await beside(t, async (other) => expect(await recognise(other, signedIn)).toEqual(OVER));
    expect(await t.ledger.find(signedIn.session.id)).toMatchObject({ revokeReason: 'everywhere' });
  });

  test('of a restored backup ends what began since, whatever the clock says', async () => {
    await using t = await sharedLedger(server);
    const signedIn = await t.signIn(await t.addUser());
    expect(await recognise(t, signedIn)).toMatchObject({ ok: true });
    // A board that has just started may be years behind.
    await t.db.write((tx) =>
      endEverything(tx, t.clock.now() - 1_000 * 24 * 60 * MINUTE, { keepDevices: false }),
    );
    await beside(t, async (process) => expect(await recognise(process, signedIn)).toEqual(OVER));
  });

  test('spares nobody who has ended since they asked', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const [late, other] = [await t.signIn(userId), await t.signIn(userId)];
    // No tombstone: nobody finds it.
    await server.client().del(`postern:user:${userId}`);
    await t.ledger.endAll(userId, { reason: 'everywhere', except: other.session.id });
    await (t.clock as ManualClock).advance(1);
    // As by a request that was let in before.
    await t.ledger.endAll(userId, { reason: 'everywhere', except: late.session.id });
    await beside(t, async (process) => {
      for (const each of [late, other]) expect(await recognise(process, each)).toEqual(OVER);
    });
  });

  test('spares who asks and their children in every process, until somebody else asks', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const [mine, other] = [await t.signIn(userId), await t.signIn(userId)];
    const ours = await child(t, mine.session.id);
    expect(await t.ledger.endAll(userId, { reason: 'everywhere', except: mine.session.id })).toBe(1);
    await beside(t, async (process) => {
      expect(await recognise(process, mine)).toMatchObject({ ok: true });
      expect(await process.ledger.authenticate(ours.token, 'cookie', hostAudience('app.home'))).toMatchObject(
        { ok: true },
      );
      expect(await recognise(process, other)).toEqual(OVER);
    });
    const later = await t.signIn(userId);
    await t.ledger.endAll(userId, { reason: 'everywhere', except: later.session.id });
    await beside(t, async (process) => {
      expect(await recognise(process, mine)).toEqual(OVER);
      expect(await recognise(process, later)).toMatchObject({ ok: true });
    });
  });

  test('spares who signs in in the same millisecond after it, and in the same transaction', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    await t.ledger.endAll(userId, { reason: 'everywhere' });
    const after = await t.signIn(userId);
    const within = await t.db.write((tx) => {
      t.ledger.endAllIn(tx, userId, { reason: 'everywhere' });
      return t.ledger.openBrowserSession(tx, { userId, origin: FROM });
    });
    await beside(t, async (process) => {
      expect(await recognise(process, after)).toEqual(OVER);
      expect(await recognise(process, within)).toMatchObject({ ok: true });
    });
  });

  test('leaves a row for what begins elsewhere while it looks', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const { session } = await t.signIn(userId);
    await t.ledger.endAll(userId, { reason: 'everywhere' });
    const rows = t.db.reader.$client.query('SELECT snapshot FROM session_outbox ORDER BY id').values();
    expect(rows.map(([json]) => JSON.parse(String(json)))).toEqual([
      expect.objectContaining({ change: 'revoked', session: expect.objectContaining({ id: session.id }) }),
      { everywhere: expect.objectContaining({ userId, before: t.clock.now(), reason: 'everywhere' }) },
    ]);
  });
});

describe('a write that runs again', () => {
  test('makes one of everything', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const [one, other] = [await t.signIn(userId), await t.signIn(userId)];
    let runs = 0;
    const tokens = await t.db.write((tx) => {
      runs++;
      return [one, other].map(({ session }) =>
        t.ledger.openPersonalToken(tx, {
          issuedBy: session.id,
          label: 'x',
          audience: [hostAudience('app.home')],
          expiresAt: t.clock.now() + MINUTE,
          origin: FROM,
        }),
      );
    });
    expect(runs).toBe(3);
    expect(
      t.ledger
        .listDurable(userId)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(tokens.map(({ session }) => session.id).sort());
  });

  test('asks for many things together, however many it ends', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const guests: Issued[] = [];
    const ids: SessionId[] = [];
    for (let each = 0; each < 50; each++) {
      const { session } = await device(t, userId);
      ids.push(session.id);
      guests.push(await guest(t, session.id));
    }
    let runs = 0;
    await t.db.write((tx) => {
      runs++;
      for (const id of ids) t.ledger.endIn(tx, id, { reason: 'unpaired' });
    });
    expect(runs).toBe(2);
    for (const { session } of guests)
      expect(await t.ledger.find(session.id)).toMatchObject({ revokeReason: 'parent_ended' });
  });

  test('knows the session that it began itself', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const [parent, ours] = await t.db.write((tx) => {
      const begun = t.ledger.openBrowserSession(tx, { userId, origin: FROM });
      const { id } = begun.session;
      expect(t.ledger.requireLive(tx, id)).toEqual(begun.session);
      return [begun, t.ledger.openChildSession(tx, { parentId: id, host: 'app.home', origin: FROM })];
    });
    await beside(t, async (process) => {
      expect(await recognise(process, parent)).toMatchObject({ ok: true });
      expect((await process.ledger.list(userId)).map(({ id }) => id).sort()).toEqual(
        [parent.session.id, ours.session.id].sort(),
      );
    });
  });
});

describe('while Redis does not answer', () => {
  test('a session that this process knows ends for good, with its children', async () => {
    await using t = await sharedLedger(server);
    const mine = await t.signIn(await t.addUser());
    const ours = await child(t, mine.session.id);
    const enter = (at: SharedLedger) =>
      at.ledger.authenticate(ours.token, 'cookie', hostAudience('app.home'));
    await recognise(t, mine);
    await enter(t);
    const redis = server.client();
    expect(await whileStalled(() => t.ledger.end(mine.session.id, { reason: 'signed_out' }))).toBe(true);
    // What could not be told to Redis is believed by nobody.
    expect(await redis.exists(`postern:session:${mine.session.id}`)).toBeNumber();
    await beside(t, async (process) => {
      expect(await recognise(process, mine)).toEqual(OVER);
      expect(await enter(process)).toEqual(OVER);
    });
    expect(await t.ledger.find(ours.session.id)).toMatchObject({ revokeReason: 'parent_ended' });
  });

  test('one that it does not know is refused here, and its end is made up for', async () => {
    await using t = await sharedLedger(server);
    const mine = await t.signIn(await t.addUser());
    await whileStalled(async () => {
      const ending = t.ledger.end(mine.session.id, { reason: 'signed_out' });
      expect(await ending.catch((error: unknown) => error)).toMatchObject({
        kind: 'unavailable',
        code: 'store_unavailable',
      });
    });
    expect(await recognise(t, mine)).toEqual(OVER);
    await beside(t, async (process) => expect(await recognise(process, mine)).toMatchObject({ ok: true }));
    await t.ledger.flush();
    await beside(t, async (process) => expect(await recognise(process, mine)).toEqual(OVER));
  });

  test('everywhere ends everything, and says that it could not count it', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const [known, unknown] = [await t.signIn(userId), await t.signIn(userId)];
    await recognise(t, known);
    expect(await whileStalled(() => t.ledger.endAll(userId, { reason: 'everywhere' }))).toBe(1);
    await beside(t, async (process) => {
      for (const each of [known, unknown]) expect(await recognise(process, each)).toEqual(OVER);
    });
    expect(
      t.db.reader.$client.query(`SELECT * FROM session_outbox WHERE snapshot LIKE '{"everywhere"%'`).all(),
    ).toHaveLength(1);
  });

  test('nobody signs in, and nobody is let in who was not known', async () => {
    await using t = await sharedLedger(server);
    const userId = await t.addUser();
    const mine = await t.signIn(userId);
    await whileStalled(async () => {
      const attempts = [
        t.signIn(userId),
        Promise.resolve(recognise(t, mine)),
        child(t, mine.session.id),
        t.ledger.list(userId),
        t.ledger.find(mine.session.id),
      ];
      for (const each of await Promise.allSettled(attempts))
        expect(each).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable' } });
    });
    expect(await recognise(t, mine)).toMatchObject({ ok: true });
  });

  test('a sign-in that would replace another session ends nothing, where it is known that Redis is gone', async () => {
    await using redis = await startRedis();
    await using t = await sharedLedger(redis);
    const userId = await t.addUser();
    const old = await t.signIn(userId);
    await recognise(t, old);
    await redis.kill9();
    await until('the connection is lost', () => t.redis.commands.status !== 'ready');
    const attempt = t.db.write((tx) => {
      t.ledger.endIn(tx, old.session.id, { reason: 'replaced' });
      return t.ledger.openBrowserSession(tx, { userId, origin: FROM });
    });
    expect(await attempt.catch((error: unknown) => error)).toMatchObject({ kind: 'unavailable' });
    expect(t.db.reader.$client.query('SELECT * FROM sessions').all()).toEqual([]);
  });

  test('uses of what is in the database are written once, however often those in Redis are tried again', async () => {
    const clock = new ManualClock();
    await using t = await sharedLedger(server, { clock });
    const userId = await t.addUser();
    const [mine, paired] = [await t.signIn(userId), await device(t, userId)];
    await clock.advance(30 * MINUTE);
    await recognise(t, mine);
    t.ledger.touch(paired.session.id);
    const changes = () => t.db.reader.$client.query('SELECT total_changes()').values();
    await whileStalled(async () => {
      const flush = () => t.ledger.flush().catch((error: unknown) => error);
      expect(await flush()).toMatchObject({ kind: 'unavailable' });
      const before = changes();
      expect(await flush()).toMatchObject({ kind: 'unavailable' });
      expect(changes()).toEqual(before);
    });
    expect(t.ledger.findDurable(paired.session.id)?.lastSeenAt).toBe(clock.now());
  });

  test('uses are kept, and written when it is back', async () => {
    const clock = new ManualClock();
    await using t = await sharedLedger(server, { clock });
    const mine = await t.signIn(await t.addUser());
    await recognise(t, mine);
    await clock.advance(30 * MINUTE);
    await recognise(t, mine);
    await whileStalled(async () => {
      expect(await t.ledger.flush().catch((error: unknown) => error)).toMatchObject({ kind: 'unavailable' });
    });
    await t.ledger.flush();
    await beside(t, async (process) =>
      expect((await process.ledger.find(mine.session.id))?.lastSeenAt).toBe(clock.now()),
    );
  });
});
