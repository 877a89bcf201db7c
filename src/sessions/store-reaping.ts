import { and, lte, type SQL, sql } from 'drizzle-orm';
import { sessions } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from './model.ts';

/** How long a revoked session without an absolute end is kept, so that it can still be shown and answered for. */
export const REVOKED_KEPT_MS = 30 * 24 * 60 * 60_000;

export type ReapingStore = ReturnType<typeof reapingStore>;

/**
 * Sessions that are due to be looked at, oldest first. Each act looks at the first `limit` of them and at no others, so
 * that its time depends on `limit` alone, however many are due.
 */
export function reapingStore() {
  return {
    listDue: (tx: Tx, now: number, limit: number): SessionId[] =>
      tx
        .select({ id: sessions.id })
        .from(sessions)
        .where(isAmongFirstDue(now, limit))
        .all()
        .map(({ id }) => id as SessionId),

    /** Puts those off that are still to be kept; returns how many. */
    postponeKept: (tx: Tx, now: number, limit: number): number =>
      tx
        .update(sessions)
        .set({ reapAtMs: keptUntil })
        .where(and(isAmongFirstDue(now, limit), sql`${keptUntil} > ${now}`))
        .returning({ id: sessions.id })
        .all().length,

    /** Deletes those that ran out, or were revoked and have run out since; returns how many rows went. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      tx
        .delete(sessions)
        .where(and(isAmongFirstDue(now, limit), lte(keptUntil, now)))
        .returning({ id: sessions.id })
        .all().length,
  };
}

function isAmongFirstDue(now: number, limit: number): SQL {
  const due = sql`SELECT row_key FROM sessions WHERE reap_at_ms <= ${now} ORDER BY reap_at_ms LIMIT ${limit}`;
  return sql`${sessions.rowKey} IN (${due})`;
}

/** When a row may go: an active session at its end; a revoked one at its absolute end, where it has one. */
const keptUntil = sql<number>`CASE ${sessions.status}
  WHEN 'revoked' THEN coalesce(${sessions.expiresAtMs}, ${sessions.revokedAtMs} + ${REVOKED_KEPT_MS})
  ELSE min(
    coalesce(${sessions.expiresAtMs}, ${Number.MAX_SAFE_INTEGER}),
    coalesce(${sessions.lastSeenAtMs} + ${sessions.idleTimeoutMs}, ${Number.MAX_SAFE_INTEGER})
  ) END`;
