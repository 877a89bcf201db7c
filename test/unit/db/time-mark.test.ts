import { describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { type Db, openDatabase } from '../../../src/db/open.ts';
import { applianceState } from '../../../src/db/schema/index.ts';
import { type TemporaryDatabase, temporaryDatabase } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2030, 0, 1);

/** Changes something, so that the mark is written along. */
const write = (db: Db) =>
  db.write((tx) =>
    tx
      .insert(applianceState)
      .values({ key: 'first_user_at_ms', integer: 1 })
      .onConflictDoUpdate({ target: applianceState.key, set: { integer: 1 } })
      .run(),
  );

const storedMark = (db: Db) =>
  db.reader.select().from(applianceState).where(eq(applianceState.key, 'time_mark_ms')).get()?.integer;

/** A database whose mark stands at `START`, closed. */
async function markedAtStart(t: TemporaryDatabase): Promise<void> {
  await write(t.db);
  await t.db[Symbol.asyncDispose]();
}

describe('a clock that is behind', () => {
  test('judges nothing, un-expires nothing, and is trusted again once it is set', async () => {
    await using t = temporaryDatabase(new ManualClock(START));
    await markedAtStart(t);
    const clock = new ManualClock(0);
    await using db = openDatabase({ path: t.path, clock });
    expect(db.timeMark.isBehind()).toBe(true);
    expect(db.timeMark.now()).toBe(START);
    await write(db);
    expect(storedMark(db)).toBe(START);
    clock.setWall(START + MINUTE);
    expect(db.timeMark.isBehind()).toBe(false);
    expect(db.timeMark.now()).toBe(START + MINUTE);
  });

  test('is borne with for five minutes', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    expect(t.db.timeMark.now()).toBe(START);
    clock.setWall(START - 5 * MINUTE);
    expect(t.db.timeMark.isBehind()).toBe(false);
    expect(t.db.timeMark.now()).toBe(START);
    clock.setWall(START - 5 * MINUTE - 1);
    expect(t.db.timeMark.isBehind()).toBe(true);
  });
});

describe('a clock that leaps ahead', () => {
  test('leaves the mark where it is, and nothing is deleted for 24 hours of monotonic time', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    await write(t.db);
    clock.setWall(START + 400 * DAY);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    expect(t.db.timeMark.now()).toBe(START + 400 * DAY);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START);

    clock.setWall(START + MINUTE);
    expect(t.db.timeMark.isBehind()).toBe(false);
    expect(t.db.timeMark.now()).toBe(START + MINUTE);
    await clock.advance(DAY - 1);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    await clock.advance(1);
    expect(t.db.timeMark.mayDelete()).toBe(true);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START + MINUTE + DAY);
  });

  test('by an hour is believed, by more is not; in small steps as well', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    clock.setWall(START + HOUR);
    expect(t.db.timeMark.mayDelete()).toBe(true);
    clock.setWall(START + HOUR + 1);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START + HOUR);
  });

  test('is seen at the next start too', async () => {
    await using t = temporaryDatabase(new ManualClock(START));
    await markedAtStart(t);
    const clock = new ManualClock(START + HOUR + 1);
    await using db = openDatabase({ path: t.path, clock });
    expect(db.timeMark.mayDelete()).toBe(false);
    await write(db);
    expect(storedMark(db)).toBe(START);
    await clock.advance(DAY);
    expect(db.timeMark.mayDelete()).toBe(true);
  });

  test('again while it is distrusted is distrusted from then on', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    clock.setWall(START + 2 * HOUR);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    await clock.advance(DAY / 2);
    clock.setWall(clock.now() + 2 * HOUR);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    await clock.advance(DAY / 2);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    await clock.advance(DAY / 2);
    expect(t.db.timeMark.mayDelete()).toBe(true);
  });

  test('because the machine slept judges by the new time, and deletes a day later', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    await write(t.db);
    // The monotonic clock stands still while a machine sleeps.
    clock.setWall(START + 8 * HOUR);
    expect(t.db.timeMark.isBehind()).toBe(false);
    expect(t.db.timeMark.now()).toBe(START + 8 * HOUR);
    expect(t.db.timeMark.mayDelete()).toBe(false);
    await clock.advance(DAY);
    expect(t.db.timeMark.mayDelete()).toBe(true);
    expect(t.db.timeMark.now()).toBe(START + 8 * HOUR + DAY);
  });
});

describe('the mark', () => {
  test('of a database without one is taken from the clock', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    expect(t.db.timeMark.mayDelete()).toBe(true);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START);
  });

  test('is written at most once a second, and never goes back', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    await write(t.db);
    await clock.advance(999);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START);
    await clock.advance(1);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START + 1_000);
    clock.setWall(START - MINUTE);
    await write(t.db);
    expect(storedMark(t.db)).toBe(START + 1_000);
  });

  test('is written at a clean stop after a long rest, so that the next start does not see a leap', async () => {
    const clock = new ManualClock(START);
    await using t = temporaryDatabase(clock);
    await write(t.db);
    await clock.advance(3 * HOUR);
    await t.db[Symbol.asyncDispose]();
    await using db = openDatabase({ path: t.path, clock });
    expect(storedMark(db)).toBe(START + 3 * HOUR);
    expect(db.timeMark.mayDelete()).toBe(true);
  });
});
