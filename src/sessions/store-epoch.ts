import { eq } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { applianceState } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { newSecret } from '../lib/random.ts';

const KEY = 'browser_sessions_epoch';

/** What the values in Redis of this life of the database are bound to; empty until a backup was first restored. */
export const readSessionsEpoch = (reader: Db['reader']): string =>
  reader.select().from(applianceState).where(eq(applianceState.key, KEY)).get()?.text ?? '';

/** No value in Redis from before this is believed any more. For when no other process has the database open. */
export function beginSessionsEpoch(tx: Tx): void {
  const text = newSecret();
  tx.insert(applianceState)
    .values({ key: KEY, text })
    .onConflictDoUpdate({ target: applianceState.key, set: { text } })
    .run();
}
