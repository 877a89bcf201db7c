import { sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { signatureMarks } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from '../sessions/model.ts';

export type SignatureMarkStore = ReturnType<typeof signatureMarkStore>;

/** Until when signatures of devices may have been used already, epoch milliseconds, in SQLite. Only an outage throws. */
export function signatureMarkStore(db: Db) {
  return {
    all: (): (readonly [SessionId, number])[] =>
      readOrOutage(() => db.reader.select().from(signatureMarks).all()).map(({ sessionId, untilMs }) => [
        sessionId as SessionId,
        untilMs,
      ]),

    put(tx: Tx, sessionId: SessionId, untilMs: number): void {
      tx.insert(signatureMarks)
        .values({ sessionId, untilMs })
        // Another process may have seen the device further ahead.
        .onConflictDoUpdate({
          target: signatureMarks.sessionId,
          set: { untilMs: sql`max(${signatureMarks.untilMs}, ${untilMs})` },
        })
        .run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number) =>
      deleteExpiredRows(tx, signatureMarks, signatureMarks.untilMs, now, limit),
  };
}
