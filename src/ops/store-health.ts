import { sql } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import type { ReadinessCheck } from './model.ts';

/** Whether the database can be read. It is not written: even an empty transaction would move the time mark on the disk. */
export function databaseCheck({ reader }: Pick<Db, 'reader'>): ReadinessCheck {
  return async () => {
    reader.get(sql`select 1 from sqlite_schema limit 1`);
  };
}

/** Whether the wall clock can be believed: while it is far behind the time mark, no session can be judged. */
export function clockCheck({ timeMark }: Pick<Db, 'timeMark'>): ReadinessCheck {
  return async () => {
    if (timeMark.isBehind()) throw new Error('the clock is behind the time mark');
  };
}
