import { eq } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { applianceState } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';

const KEY = 'session_events_server';

/** The Redis server from which session events are read: the one that whoever began to read last has found. */
export function eventServerStore(db: Db) {
  const current = db.reader
    .select({ runId: applianceState.text })
    .from(applianceState)
    .where(eq(applianceState.key, KEY))
    .prepare();
  return {
    /** @throws AppError `unavailable`. */
    find: (): string | undefined => readOrOutage(() => current.get())?.runId ?? undefined,
    put(tx: Tx, runId: string): void {
      tx.insert(applianceState)
        .values({ key: KEY, text: runId })
        .onConflictDoUpdate({ target: applianceState.key, set: { text: runId } })
        .run();
    },
  };
}
