import { lte, sql } from 'drizzle-orm';
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Tx } from './write.ts';

/** Deletes at most `limit` rows whose `expiresAt` (epoch milliseconds) is `now` or before, oldest first; returns how many went. */
export function deleteExpiredRows(
  tx: Tx,
  table: SQLiteTable,
  expiresAt: SQLiteColumn,
  now: number,
  limit: number,
): number {
  const old = sql`SELECT rowid FROM ${table} WHERE ${lte(expiresAt, now)} ORDER BY ${expiresAt} LIMIT ${limit}`;
  return tx.delete(table).where(sql`rowid IN (${old})`).returning({ at: expiresAt }).all().length;
}
