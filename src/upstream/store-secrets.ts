import { and, eq, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { userSecrets } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { UserId } from '../users/model.ts';
import type { Sealed, UserSecret, UserSecretId } from './model.ts';

export type UserSecretStore = ReturnType<typeof userSecretStore>;

/** Pasted secrets, sealed. */
export function userSecretStore(db: Db) {
  const byName = once(() =>
    db.reader
      .select()
      .from(userSecrets)
      .where(
        and(eq(userSecrets.userId, sql.placeholder('userId')), eq(userSecrets.name, sql.placeholder('name'))),
      )
      .prepare(),
  );

  return {
    find(userId: UserId, name: string): UserSecret | undefined {
      const row = readOrOutage(() => byName().get({ userId, name }));
      return row === undefined ? undefined : toSecret(row);
    },

    /** By name. */
    list(userId: UserId): UserSecret[] {
      return readOrOutage(() =>
        db.reader
          .select()
          .from(userSecrets)
          .where(eq(userSecrets.userId, userId))
          .orderBy(userSecrets.name)
          .all(),
      ).map(toSecret);
    },

    /** Takes the place of the one of that name. */
    put(tx: Tx, { id, userId, name, sealed, updatedAt }: UserSecret): void {
      tx.delete(userSecrets).where(of(userId, name)).run();
      tx.insert(userSecrets).values({ id, userId, name, sealed, updatedAtMs: updatedAt }).run();
    },

    /** `false`: there was none. */
    remove(tx: Tx, userId: UserId, name: string): boolean {
      return (
        tx.delete(userSecrets).where(of(userId, name)).returning({ id: userSecrets.id }).get() !== undefined
      );
    },

    /** Seals anew what is sealed; `reseal` gives `undefined` for what need not change. Returns how many rows changed. */
    resealAll(tx: Tx, reseal: (secret: UserSecret) => Sealed | undefined): number {
      let changed = 0;
      for (const row of tx.select().from(userSecrets).all()) {
        const sealed = reseal(toSecret(row));
        if (sealed === undefined) continue;
        tx.update(userSecrets).set({ sealed }).where(eq(userSecrets.id, row.id)).run();
        changed++;
      }
      return changed;
    },
  };
}

const of = (userId: UserId, name: string) => and(eq(userSecrets.userId, userId), eq(userSecrets.name, name));

function toSecret(row: typeof userSecrets.$inferSelect): UserSecret {
  return {
    id: row.id as UserSecretId,
    userId: row.userId as UserId,
    name: row.name,
    sealed: row.sealed as Sealed,
    updatedAt: row.updatedAtMs,
  };
}
