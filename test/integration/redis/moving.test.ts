import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { and, eq } from 'drizzle-orm';
import { credentials, sessions } from '../../../src/db/schema/index.ts';
import { keyRing } from '../../../src/lib/key-ring.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { databasePlace, moveSessions, type SessionPlace } from '../../../src/sessions/moving.ts';
import { redisPlace } from '../../../src/sessions/moving-redis.ts';
import { sessionsInRedis } from '../../../src/sessions/open-redis.ts';
import { sessionStore } from '../../../src/sessions/store.ts';
import { heldSessions } from '../../../src/sessions/store-held-redis.ts';
import { sessionValues } from '../../../src/sessions/store-values-redis.ts';
import { hashToken } from '../../../src/sessions/token.ts';
import type { UserId } from '../../../src/users/model.ts';
import { TEST_SECRET, type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';

setDefaultTimeout(60_000);

const HOUR = 3_600_000;
const FROM = { provider: 'home', providerSid: 'sid', address: '192.0.2.7', userAgent: 'a browser' };

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

interface BothStores extends AsyncDisposable {
  readonly t: TemporaryLedger;
  readonly clock: ManualClock;
  readonly here: SessionPlace;
  readonly there: SessionPlace;
  readonly held: ReturnType<typeof heldSessions>;
  readonly forged: Set<string>;
  /** What nobody revoked in the database, and its hash, by id. */
  inDatabase(): Map<string, unknown>;
  inRedis(): Promise<Map<string, unknown>>;
}

/** A database and an empty Redis; batches are small, so that there are many. */
async function bothStores(
  secrets: readonly [Uint8Array, ...Uint8Array[]] = [TEST_SECRET],
): Promise<BothStores> {
  await redis.client().flushall();
  const clock = new ManualClock();
  const t = temporaryLedger({ clock });
  const forged = new Set<string>();
  const held = heldSessions({
    redis: redis.client(),
    values: sessionValues(keyRing(secrets), ''),
    clock,
    onForged: (id) => void forged.add(id),
  });
  const here = databasePlace({ db: t.db, clock, batchSize: 5 });
  return {
    t,
    clock,
    here,
    there: redisPlace(redis.client(), held),
    held,
    forged,
    inDatabase: () => browserSessionsOf(t),
    async inRedis() {
      const all = new Map<string, unknown>();
      for await (const page of held.all()) for (const { session, hash } of page) all.set(hash, session);
      return all;
    },
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
}

function browserSessionsOf({ db }: TemporaryLedger): Map<string, unknown> {
  const store = sessionStore(db);
  const rows = db.reader
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.kind, 'user'), eq(sessions.status, 'active')))
    .all();
  const hashes = db.reader.select({ hash: credentials.hash }).from(credentials).all();
  return new Map(
    rows.flatMap(({ id }) =>
      hashes
        .filter(({ hash }) => store.findByHash(hash as never)?.session.id === id)
        .map(({ hash }) => [hash, store.find(id as SessionId)] as const),
    ),
  );
}

const openChild = ({ db, ledger }: TemporaryLedger, parentId: SessionId, host: string): Promise<Issued> =>
  db.write((tx) => ledger.openChildSession(tx, { parentId, host, origin: FROM }));

const signIn = ({ db, ledger }: TemporaryLedger, userId: UserId): Promise<Issued> =>
  db.write((tx) => ledger.openBrowserSession(tx, { userId, origin: FROM }));

/** What a server with Redis sees. */
const sharedBy = ({ t }: BothStores) =>
  sessionsInRedis(redis.client())({
    ...t,
    ring: keyRing([TEST_SECRET]),
    durable: sessionStore(t.db),
    memory: { find: () => undefined, ofUser: () => [] },
  });

/** Browsers of two people, each with hosts, and a guest of a device. */
async function people({ t, clock }: BothStores) {
  const issued: Issued[] = [];
  for (const name of ['ada', 'bob']) {
    const userId = await t.addUser(name);
    for (let browser = 0; browser < 3; browser++) {
      const signedIn = await signIn(t, userId);
      issued.push(signedIn);
      for (const host of ['a.home', 'b.home']) issued.push(await openChild(t, signedIn.session.id, host));
      await clock.advance(60_000);
    }
  }
  const owner = await t.addUser('owner');
  const device = await t.db.write((tx) =>
    t.ledger.openDevice(tx, {
      userId: owner,
      issuedBy: undefined,
      deviceId: 'dev_1',
      clientPublicKey: 'A'.repeat(43),
      label: 'Pi',
      origin: FROM,
    }),
  );
  issued.push(
    await t.db.write((tx) =>
      t.ledger.openGuestSession(tx, {
        parentId: device.session.id,
        linkId: 'gst_1',
        host: 'web--pi.home',
        expiresAt: clock.now() + 10 * HOUR,
        origin: FROM,
      }),
    ),
  );
  return { issued, device };
}

describe('live browser sessions', () => {
  test('go to Redis and come back as they were, with their cookies; grants and devices stay', async () => {
    await using t = await bothStores();
    const { issued, device } = await people(t);
    const before = t.inDatabase();
    expect(before.size).toBe(issued.length);
    expect(await moveSessions(t.here, t.there)).toEqual({ moved: 19, children: 13, ended: 0 });
    expect(t.inDatabase().size).toBe(0);
    expect(await t.inRedis()).toEqual(before);
    expect(t.t.ledger.findDurable(device.session.id)?.status).toBe('active');
    for (const { session, token } of issued)
      expect(await t.held.findByHash(hashToken(token))).toMatchObject({ id: session.id });

    expect(await moveSessions(t.there, t.here)).toEqual({ moved: 19, children: 13, ended: 0 });
    expect(t.inDatabase()).toEqual(before);
    expect(await redis.client().keys('*')).toEqual([]);
    const store = sessionStore(t.t.db);
    for (const { session, token } of issued)
      expect(store.findByHash(hashToken(token))).toMatchObject({
        session: { id: session.id },
        credential: { use: 'cookie' },
      });
  });

  test('take their ends with them', async () => {
    await using t = await bothStores();
    const { session, token } = await t.t.signIn(await t.t.addUser());
    await t.clock.advance(HOUR);
    await moveSessions(t.here, t.there);
    const left = await redis.client().pttl(`postern:session:${session.id}`);
    expect(left).toBeGreaterThan(22 * HOUR);
    expect(left).toBeLessThanOrEqual(23 * HOUR);
    expect(await redis.client().pttl(`postern:credential:${hashToken(token)}`)).toBeLessThanOrEqual(
      23 * HOUR,
    );
  });

  test('that ran out, or were ended, do not move', async () => {
    await using t = await bothStores();
    const userId = await t.t.addUser();
    const [old, ended] = [await signIn(t.t, userId), await signIn(t.t, userId)];
    await t.clock.advance(24 * HOUR);
    const kept = await signIn(t.t, userId);
    await t.t.ledger.end(ended.session.id, { reason: 'signed_out' });
    expect(await moveSessions(t.here, t.there)).toEqual({ moved: 1, children: 0, ended: 0 });
    expect([...(await t.inRedis()).keys()]).toEqual([hashToken(kept.token)]);
    expect(t.t.ledger.findDurable(old.session.id)).toBeDefined();
  });

  test('there are none of: nothing happens', async () => {
    await using t = await bothStores();
    const nothing = { moved: 0, children: 0, ended: 0 };
    expect(await moveSessions(t.here, t.there)).toEqual(nothing);
    expect(await moveSessions(t.there, t.here)).toEqual(nothing);
  });
});

/** Dies before its nth act that changes something, as a process would. */
function dyingAt(act: number): (place: SessionPlace) => SessionPlace {
  let acts = 0;
  const live = () => {
    if (++acts === act) throw new Error('killed');
  };
  return (place) => ({
    batches: () => place.batches(),
    async take(batch) {
      live();
      const taken = await place.take(batch);
      live();
      return taken;
    },
    async drop(ids) {
      live();
      await place.drop(ids);
      live();
    },
  });
}

describe('a move that dies half-way and is made again', () => {
  test.each(['redis', 'sqlite'] as const)(
    'to %s loses none and doubles none, wherever it dies',
    async (to) => {
      for (let act = 1; ; act++) {
        await using t = await bothStores();
        await people(t);
        const before = t.inDatabase();
        if (to === 'sqlite') await moveSessions(t.here, t.there);
        const [from, into] = to === 'redis' ? [t.here, t.there] : [t.there, t.here];
        const dying = dyingAt(act);
        const died = await moveSessions(dying(from), dying(into)).then(
          () => false,
          () => true,
        );
        const either = new Map([...t.inDatabase(), ...(await t.inRedis())]);
        expect(either).toEqual(before);
        await moveSessions(from, into);
        const [left, arrived] =
          to === 'redis' ? [t.inDatabase(), await t.inRedis()] : [await t.inRedis(), t.inDatabase()];
        expect(left.size).toBe(0);
        expect(arrived).toEqual(before);
        if (!died) break;
        expect(act).toBeLessThan(100);
      }
    },
  );

  test('leaves sessions that are used in Redis from then on', async () => {
    await using t = await bothStores();
    const { session, token } = await t.t.signIn(await t.t.addUser());
    await moveSessions({ ...t.here, drop: async () => undefined }, t.there);
    const { store } = sharedBy(t);
    const at = t.clock.now() + HOUR;
    await t.t.db.write((tx) => store.touch(tx, new Map([[session.id, at]])));
    expect((await t.inRedis()).get(hashToken(token))).toMatchObject({ lastSeenAt: at });
    await moveSessions(t.here, t.there);
    expect((await t.inRedis()).get(hashToken(token))).toMatchObject({ lastSeenAt: at });
  });

  test('keeps the later of two last uses', async () => {
    await using t = await bothStores();
    const { session, token } = await t.t.signIn(await t.t.addUser());
    const at = t.clock.now() + HOUR;
    const lastUse = () => ({ lastSeenAt: at });
    await moveSessions({ ...t.here, drop: async () => undefined }, t.there);
    await t.held.touch(new Map([[session.id, at]]));
    await moveSessions(t.here, t.there);
    expect((await t.inRedis()).get(hashToken(token))).toMatchObject(lastUse());
    await moveSessions({ ...t.there, drop: async () => undefined }, t.here);
    expect(t.inDatabase().get(hashToken(token))).toMatchObject(lastUse());
    await t.t.db.write((tx) => sessionStore(t.t.db).touch(tx, new Map([[session.id, at + HOUR]])));
    await moveSessions(t.there, t.here);
    expect(t.inDatabase().get(hashToken(token))).toMatchObject({ lastSeenAt: at + HOUR });
    expect((await t.inRedis()).size).toBe(0);
  });
});

describe('what was ended while its value stayed in Redis', () => {
  const ENDS: readonly (readonly [string, (t: BothStores, issued: Issued) => Promise<unknown>])[] = [
    ['one by one', (t, { session }) => t.t.ledger.end(session.id, { reason: 'ended_by_user' })],
    ['everywhere', (t, { session }) => t.t.ledger.endAll(session.userId, { reason: 'everywhere' })],
    [
      'with its person',
      (t, { session }) => t.t.db.write((tx) => tx.run(`DELETE FROM users WHERE id = '${session.userId}'`)),
    ],
  ];
  test.each(ENDS)('%s: does not come back', async (_name, end) => {
    await using t = await bothStores();
    const issued = await t.t.signIn(await t.t.addUser());
    await openChild(t.t, issued.session.id, 'app.home');
    const kept = await t.t.signIn(await t.t.addUser());
    // As a run leaves it that died before the rows went.
    await moveSessions({ ...t.here, drop: async () => undefined }, t.there);
    await end(t, issued);
    expect(await moveSessions(t.there, t.here)).toEqual({ moved: 1, children: 0, ended: 2 });
    expect([...t.inDatabase().keys()]).toEqual([hashToken(kept.token)]);
    expect((await t.inRedis()).size).toBe(0);
    expect(await moveSessions(t.here, t.there)).toMatchObject({ moved: 1 });
  });

  test('but for one that everywhere left alone', async () => {
    await using t = await bothStores();
    const issued = await t.t.signIn(await t.t.addUser());
    const { userId } = issued.session;
    const child = await openChild(t.t, issued.session.id, 'app.home');
    const other = await t.t.signIn(userId);
    await moveSessions({ ...t.here, drop: async () => undefined }, t.there);
    await t.t.ledger.endAll(userId, { reason: 'everywhere', except: issued.session.id });
    expect(await moveSessions(t.there, t.here)).toEqual({ moved: 2, children: 1, ended: 1 });
    expect([...t.inDatabase().keys()].sort()).toEqual(
      [issued, child].map(({ token }) => hashToken(token)).sort(),
    );
    expect(t.inDatabase().has(hashToken(other.token))).toBe(false);
  });
});

describe('a session that stands although everything of its person has ended', () => {
  test('because it began right after that, stands in Redis too, and so does what begins with it', async () => {
    await using t = await bothStores();
    const userId = await t.t.addUser();
    const before = await signIn(t.t, userId);
    const [after, child] = await t.t.db.write((tx) => {
      t.t.ledger.endAllIn(tx, userId, { reason: 'everywhere' });
      const opened = t.t.ledger.openBrowserSession(tx, { userId, origin: FROM });
      const { id } = opened.session;
      return [opened, t.t.ledger.openChildSession(tx, { parentId: id, host: 'app.home', origin: FROM })];
    });
    if (after === undefined || child === undefined) throw new Error('both were opened');
    await moveSessions(t.here, t.there);
    const shared = sharedBy(t);
    for (const { token, session } of [after, child])
      expect(await shared.store.findByHash(hashToken(token), 'cookie')).toMatchObject({
        session: { id: session.id, status: 'active' },
      });
    expect(await shared.store.findByHash(hashToken(before.token), 'cookie')).toBeUndefined();
    expect(await moveSessions(t.there, t.here)).toEqual({ moved: 2, children: 1, ended: 0 });
  });
});

describe('values in Redis that are not ours', () => {
  test('stay there, and never reach the database', async () => {
    await using t = await bothStores();
    const [mine, theirs] = [await t.t.signIn(await t.t.addUser()), await t.t.signIn(await t.t.addUser())];
    await moveSessions(t.here, t.there);
    const client = redis.client();
    const [from, to] = [mine, theirs].map(({ session }) => `postern:session:${session.id}`);
    if (from === undefined || to === undefined) throw new Error('there are two');
    // The session of somebody else behind one's own cookie.
    const body = await client.hget(to, 'body');
    await client.hset(from, 'body', body ?? '');
    await client.zadd('postern:sessions', '+inf', 'ses_made-up', '+inf', 'not an id');
    await client.hset(
      'postern:session:ses_made-up',
      'body',
      '{}',
      'mac',
      '',
      'hash',
      '',
      'seen',
      '1',
      'seen_mac',
      '',
    );
    expect(await moveSessions(t.there, t.here)).toEqual({ moved: 1, children: 0, ended: 0 });
    expect([...t.forged].sort()).toEqual([mine.session.id, 'ses_made-up'].sort());
    expect([...t.inDatabase().keys()]).toEqual([hashToken(theirs.token)]);
    expect(await client.exists(from)).toBe(1);
  });

  test('are no obstacle on the way there', async () => {
    await using t = await bothStores();
    const { session, token } = await t.t.signIn(await t.t.addUser());
    await redis.client().hset(`postern:session:${session.id}`, 'body', 'nonsense');
    await redis.client().set(`postern:credential:${hashToken(token)}`, 'ses_somebody');
    expect(await moveSessions(t.here, t.there)).toMatchObject({ moved: 1 });
    expect(await t.held.findByHash(hashToken(token))).toMatchObject({ id: session.id });
  });

  test('sealed under a previous secret are ours', async () => {
    await using before = await bothStores();
    const { token } = await before.t.signIn(await before.t.addUser());
    await moveSessions(before.here, before.there);
    const { t, clock } = before;
    const held = heldSessions({
      redis: redis.client(),
      values: sessionValues(keyRing([new Uint8Array(32).fill(9), TEST_SECRET]), ''),
      clock,
      onForged: (id) => void before.forged.add(id),
    });
    expect(
      await moveSessions(redisPlace(redis.client(), held), databasePlace({ db: t.db, clock })),
    ).toMatchObject({
      moved: 1,
    });
    expect([...before.inDatabase().keys()]).toEqual([hashToken(token)]);
    expect(before.forged.size).toBe(0);
  });
});

test('where Redis goes away the move fails, and what was moved stays moved', async () => {
  await using own = await startRedis({ appendonly: true });
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  for (let each = 0; each < 5; each++) await t.signIn(await t.addUser());
  const held = heldSessions({
    redis: own.client(),
    values: sessionValues(keyRing([TEST_SECRET]), ''),
    clock,
    onForged: () => undefined,
  });
  const here = databasePlace({ db: t.db, clock, batchSize: 2 });
  own.client().options.maxRetriesPerRequest = 0;
  const there = redisPlace(own.client(), held);
  let takes = 0;
  const failing: SessionPlace = {
    ...there,
    async take(batch) {
      if (++takes === 2) await own.kill9();
      return there.take(batch);
    },
  };
  const failed = await moveSessions(here, failing).catch((error: unknown) => error);
  expect(failed).toMatchObject({ kind: 'unavailable' });
  expect(browserSessionsOf(t).size).toBe(3);
  await own.restart();
  expect(await moveSessions(here, there)).toMatchObject({ moved: 3 });
  expect(browserSessionsOf(t).size).toBe(0);
  expect(await held.count()).toBe(5);
});
