import { sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { credentials } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Credential, TokenHash } from './model.ts';

/** What a credential of a grant is replaced by. Both belong to the same session. */
export interface NewPair {
  readonly access: Pick<Credential, 'hash' | 'expiresAt'>;
  readonly refresh: Pick<Credential, 'hash'>;
}

export type GrantStore = ReturnType<typeof grantStore>;

/**
 * The credentials of grants: the only ones that change while their session lives. Every statement is prepared, because one
 * refresh in a shared commit costs what its statements cost.
 */
export function grantStore(db: Db) {
  const placeholder = sql.placeholder;
  const sessionKey = sql`(SELECT session_key FROM credentials WHERE hash = ${placeholder('from')})`;
  const credentialOf = db.reader
    .select({ expiresAt: credentials.expiresAtMs, supersededAt: credentials.supersededAtMs })
    .from(credentials)
    .where(sql`${credentials.hash} = ${placeholder('hash')}`)
    .prepare();
  const supersede = db.reader
    .update(credentials)
    .set({ supersededAtMs: sql`${placeholder('at')}` })
    .where(sql`${credentials.hash} = ${placeholder('from')} AND ${credentials.supersededAtMs} IS NULL`)
    .returning({ hash: credentials.hash })
    .prepare();
  const add = db.reader
    .insert(credentials)
    .values([
      {
        hash: placeholder('access'),
        sessionKey,
        use: 'access',
        expiresAtMs: placeholder('accessExpiresAt'),
      },
      { hash: placeholder('refresh'), sessionKey, use: 'refresh' },
    ])
    .prepare();

  return {
    /** The end of a credential, and when it was replaced. */
    find(hash: TokenHash): Pick<Credential, 'expiresAt' | 'supersededAt'> | undefined {
      const row = readOrOutage(() => credentialOf.get({ hash }));
      if (row === undefined) return undefined;
      return { expiresAt: row.expiresAt ?? undefined, supersededAt: row.supersededAt ?? undefined };
    },

    /** Adds a pair to the session that `from` belongs to. The statements of `db.reader` run in the open transaction. */
    addPair(_tx: Tx, from: TokenHash, { access, refresh }: NewPair): void {
      add.run({
        from,
        access: access.hash,
        accessExpiresAt: access.expiresAt ?? null,
        refresh: refresh.hash,
      });
    },

    /** Takes `from` out of use, once. `false`: somebody else has. */
    supersede(_tx: Tx, from: TokenHash, at: number): boolean {
      return supersede.get({ from, at }) !== undefined;
    },

    /** Deletes at most `limit` credentials that ran out while their session goes on. */
    deleteExpired(tx: Tx, now: number, limit: number): number {
      return tx
        .delete(credentials)
        .where(
          sql`${credentials.hash} IN (
            SELECT hash FROM credentials WHERE expires_at_ms <= ${now} ORDER BY expires_at_ms LIMIT ${limit})`,
        )
        .returning({ hash: credentials.hash })
        .all().length;
    },
  };
}
