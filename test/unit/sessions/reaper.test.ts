import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { configSchema } from '../../../src/config/schema.ts';
import { databasePath } from '../../../src/db/files.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { openServices } from '../../../src/services.ts';
import { originAudience } from '../../../src/sessions/audience.ts';
import { type ReapTask, reapExpired } from '../../../src/sessions/reaper.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { TEST_ORIGIN, type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { copySession } from '../../support/many-sessions.ts';
import { recordedLog } from '../../support/silent-log.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const DAY = 24 * 3_600_000;
const ROWS = 100_000;

/** Batches are timed by the real clock: what is measured here is how long they take. */
const reap = ({ db, ledger }: TemporaryLedger) =>
  reapExpired({ db, clock: systemClock, tasks: [ledger.reapTask], flush: () => ledger.flush() });

/** The longest time, in milliseconds, for which `work` kept others from the event loop. */
async function longestHold(work: Promise<unknown>): Promise<number> {
  const progress = { isOver: false, longest: 0 };
  void work.finally(() => {
    progress.isOver = true;
  });
  while (!progress.isOver) {
    const before = performance.now();
    await settle(1);
    progress.longest = Math.max(progress.longest, performance.now() - before);
  }
  return progress.longest;
}

test(`${ROWS} expired sessions go in batches that leave room for others`, async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  const { session } = await t.signIn(await t.addUser());
  copySession(t.db, session.id, ROWS - 1);
  await clock.advance(DAY);
  const reaping = reap(t);
  const hold = await longestHold(reaping);
  console.log(`the reaper held the event loop for ${hold.toFixed(1)} ms at most`);
  expect(await reaping).toEqual({ suspended: false, deleted: { sessions: ROWS } });
  expect(t.db.reader.$client.query('SELECT count(*) FROM credentials').values()).toEqual([[0]]);
}, 20_000);

test('a session and its children go at their own end', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  const { session } = await t.signIn(await t.addUser());
  copySession(t.db, session.id, 2_000, { parent_id: session.id });
  await clock.advance(31 * DAY);
  const reaping = reap(t);
  const hold = await longestHold(reaping);
  console.log(`a session with 2,000 children held the event loop for ${hold.toFixed(1)} ms`);
  expect(await reaping).toEqual({ suspended: false, deleted: { sessions: 2_001 } });
  expect(t.db.reader.$client.query('SELECT count(*) FROM sessions').values()).toEqual([[0]]);
});

test('a batch ends when its time is over, and leaves the rest to the next', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  const asked: number[] = [];
  let left = 100;
  const slow: ReapTask = {
    name: 'slow',
    deleteExpired(_tx, _now, limit) {
      asked.push(limit);
      if (asked.length === 1) void clock.advance(10);
      const gone = Math.min(left, limit);
      left -= gone;
      return gone;
    },
  };
  const report = await reapExpired({ db: t.db, clock, tasks: [slow], flush: async () => undefined });
  expect(report).toEqual({ suspended: false, deleted: { slow: 100 } });
  expect(asked).toEqual([8, 8, 16, 32, 64, 8]);
});

test('a session that is used between two batches stays', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  const { token } = await t.signIn(await t.addUser());
  await clock.advance(DAY - 1);
  // Used in its last millisecond, after the uses were written and before its batch.
  const before: ReapTask = {
    name: 'before',
    deleteExpired() {
      expect(t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
      clock.setWall(clock.now() + 1);
      return 0;
    },
  };
  const tasks = [before, t.ledger.reapTask];
  expect(await reapExpired({ db: t.db, clock, tasks, flush: () => t.ledger.flush() })).toMatchObject({
    deleted: { sessions: 0 },
  });
  expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
});

test('nothing is deleted while the clock is not trusted, also when it leaps during a round', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  const { session } = await t.signIn(await t.addUser());
  const leap: ReapTask = {
    name: 'leap',
    deleteExpired() {
      clock.setWall(clock.now() + 400 * DAY);
      return 0;
    },
  };
  const tasks = [leap, t.ledger.reapTask];
  const round = () => reapExpired({ db: t.db, clock, tasks, flush: () => t.ledger.flush() });
  await round();
  expect(await t.ledger.find(session.id)).toBeDefined();
  expect(await round()).toEqual({ suspended: true });
  await clock.advance(DAY);
  expect(await reap(t)).toEqual({ suspended: false, deleted: { sessions: 1 } });
});

test('at rest a round writes nothing', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  await t.signIn(await t.addUser());
  await t.ledger.flush();
  await reap(t);
  const changes = () => t.db.reader.$client.query('SELECT total_changes()').values();
  const before = changes();
  await clock.advance(3_600_000);
  await reap(t);
  await t.ledger.flush();
  expect(changes()).toEqual(before);
});

test('no task of the appliance reads a whole table', async () => {
  const clock = new ManualClock();
  using directory = temporaryDirectory();
  const config = { ...configSchema.parse({}), data_dir: directory.path };
  await using services = await openServices(config, { clock, log: recordedLog() });
  const { $client: client } = services.db.reader;
  const texts = new Set<string>();
  const prepare = client.prepare.bind(client);
  client.prepare = (text: string) => {
    texts.add(text);
    return prepare(text);
  };
  await services.reap();

  const asked = [...texts].filter((text) => /^(select|delete|update|with)/i.test(text.trim()));
  expect(asked.length).toBeGreaterThan(4);
  using other = new Database(databasePath(directory.path));
  for (const text of asked) {
    const plan = other.query(`EXPLAIN QUERY PLAN ${text}`).all() as { detail: string }[];
    const scans = plan
      .map(({ detail }) => detail)
      .filter((detail) => detail.startsWith('SCAN ') && !detail.includes('USING') && !isSmall(detail));
    expect({ text, scans }).toEqual({ text, scans: [] });
  }
});

/** Invitations are made by hand: there is never a multitude of them. */
const isSmall = (detail: string) => detail === 'SCAN invitations';

test('what ended a moment ago stays where another process may know of a use of it', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  await t.signIn(await t.addUser());
  const round = () => {
    const { db, ledger } = t;
    const flush = () => ledger.flush();
    return reapExpired({ db, clock, tasks: [ledger.reapTask], flush, graceMs: 30_000 });
  };
  await clock.advance(DAY + 29_999);
  expect(await round()).toEqual({ suspended: false, deleted: { sessions: 0 } });
  await clock.advance(1);
  expect(await round()).toEqual({ suspended: false, deleted: { sessions: 1 } });
});
