import { eq, sql } from 'drizzle-orm';
import type { Clock } from '../lib/clock.ts';
import type { DrizzleDatabase } from './open.ts';
import { applianceState } from './schema/index.ts';
import type { Tx } from './write.ts';

/** How far the wall clock may be behind the mark before nothing is judged any more. */
const BEHIND_TOLERANCE_MS = 5 * 60_000;
/** A gain of the wall clock over the monotonic one (or over the mark, at start) that is taken for a mistake. */
const JUMP_TOLERANCE_MS = 60 * 60_000;
/** How long, on the monotonic clock, the mark stands still after such a gain. */
const DISTRUST_MS = 24 * 60 * 60_000;
/** The mark is written along with other writes, when it has moved this far. */
const RESOLUTION_MS = 1_000;

/**
 * The high-water mark of time. A board that boots in 1970 must un-expire nothing, and one whose clock leaps ahead must
 * not lose its sessions for good: time judged is `max(wall, mark)`, and after a leap nothing is deleted for a day.
 */
export interface TimeMark {
  /** All of the below that a decision needs, from one look at each clock. */
  read(): JudgedTime;
  /** The time sessions are judged by: wall time, but never before the mark. Epoch milliseconds. */
  now(): number;
  /** Whether the wall clock is so far behind the mark that nothing can be judged (`clock_behind`). */
  isBehind(): boolean;
  /** Whether rows that look expired may be deleted now. */
  mayDelete(): boolean;
  /** Moves the mark in the transaction that is written anyway: at rest nothing is written. */
  advance(tx: Tx): void;
}

/** One instant as the mark judges it. */
export interface JudgedTime {
  readonly now: number;
  readonly monotonicNow: number;
  readonly isBehind: boolean;
}

/** The mark as its database keeps it. */
export interface KeptTimeMark extends TimeMark {
  /** How far the mark has moved since it was written, in milliseconds. */
  readonly unwrittenMs: number;
}

export function openTimeMark(database: DrizzleDatabase, clock: Clock): KeptTimeMark {
  const stored = database.select().from(applianceState).where(eq(applianceState.key, 'time_mark_ms')).get();
  let mark = stored?.integer ?? 0;
  let written = mark;
  const startedAt = clock.monotonicNow();
  /** What wall time was ahead of the monotonic clock when it was least so: several small leaps are one large. */
  let ahead = clock.now() - startedAt;
  let distrustUntil =
    stored !== undefined && clock.now() - mark > JUMP_TOLERANCE_MS ? startedAt + DISTRUST_MS : 0;

  /** Looks at both clocks; every question goes through here, so a leap is noticed at the first one after it. */
  const observe = () => {
    const wall = clock.now();
    const monotonic = clock.monotonicNow();
    if (wall - monotonic - ahead > JUMP_TOLERANCE_MS) {
      ahead = wall - monotonic;
      distrustUntil = monotonic + DISTRUST_MS;
    }
    ahead = Math.min(ahead, wall - monotonic);
    const trusted = monotonic >= distrustUntil;
    if (trusted && wall > mark) mark = wall;
    return { wall, monotonic, trusted };
  };

  const read = (): JudgedTime => {
    const { wall, monotonic } = observe();
    return {
      now: Math.max(wall, mark),
      monotonicNow: monotonic,
      isBehind: wall < mark - BEHIND_TOLERANCE_MS,
    };
  };

  return {
    read,
    now: () => read().now,
    isBehind: () => read().isBehind,
    mayDelete: () => observe().trusted,
    get unwrittenMs() {
      observe();
      return mark - written;
    },
    advance(tx) {
      observe();
      if (mark - written < RESOLUTION_MS) return;
      const row = { key: 'time_mark_ms' as const, integer: mark };
      tx.insert(applianceState)
        .values(row)
        .onConflictDoUpdate({
          target: applianceState.key,
          set: { integer: sql`max(coalesce(${applianceState.integer}, 0), ${mark})` },
        })
        .run();
      written = mark;
    },
  };
}

/** A clock whose wall time is the mark's judgement; everything that judges or stamps rows is given this one. */
export function markedClock(clock: Clock, timeMark: TimeMark): Clock {
  return {
    now: () => timeMark.now(),
    monotonicNow: () => clock.monotonicNow(),
    setTimer: (delayMs, run) => clock.setTimer(delayMs, run),
  };
}
