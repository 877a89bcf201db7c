import { and, desc, eq, lte, type SQL, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { signInAttempts } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from '../sessions/model.ts';
import type { Attempt, AttemptId } from './model.ts';

export type AttemptStore = ReturnType<typeof attemptStore>;

/** Attempts kept at once. Strangers begin them, each with a return path of up to 4 KiB. */
const MAX_ATTEMPTS = 20_000;

/**
 * Attempts to sign in at a provider; of what binds them to a browser only a hash is kept. Where there are too many, the
 * oldest make room: a flood from many addresses fills no disk.
 */
export function attemptStore(maxAttempts = MAX_ATTEMPTS) {
  const makeRoom = (tx: Tx) => {
    const surplus = tx
      .select({ expiresAtMs: signInAttempts.expiresAtMs })
      .from(signInAttempts)
      .orderBy(desc(signInAttempts.expiresAtMs))
      .limit(1)
      .offset(maxAttempts - 1)
      .get();
    if (surplus === undefined) return;
    tx.delete(signInAttempts).where(lte(signInAttempts.expiresAtMs, surplus.expiresAtMs)).run();
  };

  return {
    insert(tx: Tx, { createdAt, expiresAt, ...columns }: Attempt, browserHash: string): void {
      makeRoom(tx);
      tx.insert(signInAttempts)
        .values({ ...columns, browserHash, createdAtMs: createdAt, expiresAtMs: expiresAt })
        .run();
    },

    /** Uses an attempt up; `undefined` unless this browser began it and nobody has used it. It may have expired. */
    consume(tx: Tx, id: string, browserHash: string): Attempt | undefined {
      const row = tx
        .delete(signInAttempts)
        .where(and(eq(signInAttempts.id, id), eq(signInAttempts.browserHash, browserHash)))
        .returning()
        .get();
      return row === undefined ? undefined : toAttempt(row);
    },

    /** A browser whose session is replaced keeps the attempts of its other tabs. */
    moveToSession(tx: Tx, from: SessionId, to: SessionId): void {
      tx.update(signInAttempts)
        .set({ startedBySessionId: to })
        .where(eq(signInAttempts.startedBySessionId, from))
        .run();
    },

    /** Voids what these sessions began. */
    deleteOfSessions(tx: Tx, sessionIds: readonly SessionId[]): void {
      tx.delete(signInAttempts).where(startedByOneOf(sessionIds)).run();
    },

    /** Deletes at most `limit` attempts that ran out by `now`; returns how many. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, signInAttempts, signInAttempts.expiresAtMs, now, limit),
  };
}

/** One variable however many there are: a statement takes 32,766, and a person may hold more sessions. */
function startedByOneOf(ids: readonly SessionId[]): SQL {
  return sql`${signInAttempts.startedBySessionId} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
}

function toAttempt(row: typeof signInAttempts.$inferSelect): Attempt {
  return {
    id: row.id as AttemptId,
    provider: row.provider,
    returnTo: row.returnTo,
    purpose: row.purpose,
    invitationId: row.invitationId ?? undefined,
    startedBySessionId: (row.startedBySessionId ?? undefined) as SessionId | undefined,
    createdAt: row.createdAtMs,
    expiresAt: row.expiresAtMs,
  };
}
