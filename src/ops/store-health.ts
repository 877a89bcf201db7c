import { sql } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import type { ReadinessCheck } from './model.ts';

/** Whether the database can be read, and written by us. The transaction is empty: asking wears out no disk. */
export function databaseCheck(db: Db): ReadinessCheck {
  return async () => {
    db.reader.get(sql`select 1 from sqlite_schema limit 1`);
    await db.write(() => undefined);
  };
}
