import { eq, sql } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { localCredentials } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { UserId } from './model.ts';

export interface StoredPassword {
  /** Argon2id in PHC form. */
  readonly hash: string;
  /** Epoch milliseconds. */
  readonly changedAt: number;
}

export type PasswordStore = ReturnType<typeof passwordStore>;

/** Local passwords, of which only hashes are kept. */
export function passwordStore(db: Db) {
  const byUser = once(() =>
    db.reader
      .select()
      .from(localCredentials)
      .where(eq(localCredentials.userId, sql.placeholder('userId')))
      .prepare(),
  );
  const any = once(() =>
    db.reader.select({ userId: localCredentials.userId }).from(localCredentials).limit(1).prepare(),
  );

  return {
    find(userId: UserId): StoredPassword | undefined {
      const row = byUser().get({ userId });
      return row === undefined ? undefined : { hash: row.passwordHash, changedAt: row.changedAtMs };
    },

    /** Whether anybody signs in with a password. */
    exist(): boolean {
      return any().get() !== undefined;
    },

    /** Everybody who has one. */
    userIds(): Set<UserId> {
      const rows = db.reader.select({ userId: localCredentials.userId }).from(localCredentials).all();
      return new Set(rows.map(({ userId }) => userId as UserId));
    },

    set(tx: Tx, userId: UserId, hash: string, at: number): void {
      const columns = { passwordHash: hash, changedAtMs: at };
      tx.insert(localCredentials)
        .values({ userId, ...columns })
        .onConflictDoUpdate({ target: localCredentials.userId, set: columns })
        .run();
    },
  };
}
