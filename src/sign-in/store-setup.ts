import { inArray } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { applianceState } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';

const KEYS = ['setup_secret_hash', 'setup_expires_at_ms'] as const;

export interface SetupSecret {
  readonly hash: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export type SetupStore = ReturnType<typeof setupStore>;

/** The one setup link there is, by its hash. */
export function setupStore(db: Db) {
  return {
    find(): SetupSecret | undefined {
      const rows = db.reader
        .select()
        .from(applianceState)
        .where(inArray(applianceState.key, [...KEYS]))
        .all();
      const hash = rows.find(({ key }) => key === 'setup_secret_hash')?.text;
      const expiresAt = rows.find(({ key }) => key === 'setup_expires_at_ms')?.integer;
      return typeof hash === 'string' && typeof expiresAt === 'number' ? { hash, expiresAt } : undefined;
    },

    /** Puts a link in the place of the one before. */
    replace(tx: Tx, { hash, expiresAt }: SetupSecret): void {
      this.clear(tx);
      tx.insert(applianceState)
        .values([
          { key: 'setup_secret_hash', text: hash },
          { key: 'setup_expires_at_ms', integer: expiresAt },
        ])
        .run();
    },

    clear(tx: Tx): void {
      tx.delete(applianceState)
        .where(inArray(applianceState.key, [...KEYS]))
        .run();
    },
  };
}
