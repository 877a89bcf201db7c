import { and, eq, sql } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { mcpAbouts } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { UserId } from '../users/model.ts';

export interface StoredAbout {
  readonly userId: UserId;
  readonly backend: string;
  readonly fingerprint: string;
  readonly about: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds. */
  readonly updatedAt: number;
}

/** What MCP servers said of themselves, in SQLite. Absence is `undefined`; only an outage throws. */
export function aboutStore(db: Db) {
  const found = once(() =>
    db.reader
      .select()
      .from(mcpAbouts)
      .where(
        and(
          eq(mcpAbouts.userId, sql.placeholder('userId')),
          eq(mcpAbouts.backend, sql.placeholder('backend')),
        ),
      )
      .prepare(),
  );

  return {
    find(userId: UserId, backend: string): StoredAbout | undefined {
      const row = found().get({ userId, backend });
      return row === undefined ? undefined : { ...row, userId, updatedAt: row.updatedAtMs };
    },
    put(tx: Tx, { updatedAt, ...about }: StoredAbout): void {
      const values = { ...about, updatedAtMs: updatedAt };
      tx.insert(mcpAbouts)
        .values(values)
        .onConflictDoUpdate({ target: [mcpAbouts.userId, mcpAbouts.backend], set: values })
        .run();
    },
  };
}
