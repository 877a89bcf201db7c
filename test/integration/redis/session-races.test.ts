import { afterAll, beforeAll, expect, test } from 'bun:test';
import { openDatabase } from '../../../src/db/open.ts';
import { hostAudience, originAudience } from '../../../src/sessions/audience.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { type SharedLedger, sharedLedger } from '../../support/shared-ledger.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const HOST = 'app.home';
const FROM = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
const ROUNDS = 25;

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Two processes with a connection to the database each, and a third that has seen nothing and is asked in the end. */
async function processes() {
  // A busy database is waited for by its own time; nothing else here takes any.
  const clock = new ManualClock();
  await using opening = new AsyncDisposableStack();
  const first = opening.use(await sharedLedger(server, { clock }));
  const beside = async () => {
    const db = opening.use(openDatabase({ path: first.database.path, clock, busyTimeoutMs: 10_000 }));
    const t = await sharedLedger(server, { clock, database: { ...first.database, db } });
    opening.defer(() => t.redis[Symbol.dispose]());
    opening.defer(() => t.ledger[Symbol.asyncDispose]());
    return t;
  };
  const [second, judge] = [await beside(), await beside()];
  const opened = opening.move();
  return { clock, first, second, judge, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const openChild = (t: SharedLedger, parent: Issued) =>
  t.db.write((tx) =>
    t.ledger.openChildSession(tx, { parentId: parent.session.id, host: HOST, origin: FROM }),
  );
const isIn = async (t: SharedLedger, { token }: Issued, audience = ORIGIN) =>
  (await t.ledger.authenticate(token, 'cookie', audience)).ok;

/** What ManualClock waits for, it waits for in vain: time has to go on while two processes want one database. */
async function whileTimeGoesOn<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  const state = { isDone: false };
  const done = work.finally(() => {
    state.isDone = true;
  });
  while (!state.isDone) await clock.advance(5);
  return done;
}

test('who signs in while everything ends at another process is in exactly when it began later', async () => {
  await using p = await processes();
  const userId = await p.first.addUser();
  for (let round = 0; round < ROUNDS; round++) {
    const work = Promise.all([
      p.first.signIn(userId),
      p.second.signIn(userId),
      p.first.ledger.endAll(userId, { reason: 'everywhere' }),
      p.second.signIn(userId),
      p.first.signIn(userId),
    ]);
    const [one, two, , three, four] = await whileTimeGoesOn(p.clock, work);
    const before = p.first.db.reader.$client
      .query<{ at: number }, [string]>('SELECT ended_before_ms AS at FROM users WHERE id = ?')
      .get(userId)?.at;
    for (const each of [one, two, three, four])
      expect([round, await isIn(p.judge, each)]).toEqual([round, each.session.createdAt > (before ?? 0)]);
  }
});

test('no child is left behind by a parent that ends at another process', async () => {
  await using p = await processes();
  const userId = await p.first.addUser();
  for (let round = 0; round < ROUNDS; round++) {
    const parent = await whileTimeGoesOn(p.clock, p.first.signIn(userId));
    const [child] = await whileTimeGoesOn(
      p.clock,
      Promise.allSettled([
        openChild(p.second, parent),
        p.first.ledger.end(parent.session.id, { reason: 'signed_out' }),
      ]),
    );
    expect(await isIn(p.judge, parent)).toBe(false);
    if (child.status === 'fulfilled')
      expect([round, await isIn(p.judge, child.value, hostAudience(HOST))]).toEqual([round, false]);
    else expect(child.reason).toMatchObject({ code: 'session_ended' });
  }
});

test('of two who end one session at once, one did', async () => {
  await using p = await processes();
  const userId = await p.first.addUser();
  for (let round = 0; round < ROUNDS; round++) {
    const { session } = await whileTimeGoesOn(p.clock, p.first.signIn(userId));
    const ended = await whileTimeGoesOn(
      p.clock,
      Promise.all([p.first, p.second].map((t) => t.ledger.end(session.id, { reason: 'signed_out' }))),
    );
    expect(ended.filter(Boolean)).toHaveLength(1);
  }
});
