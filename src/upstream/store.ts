import { and, count, eq, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { upstreamGrants } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { UserId } from '../users/model.ts';
import type { GrantEndReason, Sealed, UpstreamGrant, UpstreamGrantId } from './model.ts';

/** What a refresh changes. */
export interface RefreshedTokens {
  readonly sealedAccessToken: Sealed;
  /** Absent: the provider did not replace it. */
  readonly sealedRefreshToken: Sealed | undefined;
  readonly obtainedAt: number;
  readonly expiresAt: number | undefined;
  readonly scope: string | undefined;
}

export type UpstreamGrantStore = ReturnType<typeof upstreamGrantStore>;

/** Grants at providers. Absence is `undefined`; only an outage throws. */
export function upstreamGrantStore(db: Db) {
  const ofUser = once(() =>
    db.reader
      .select()
      .from(upstreamGrants)
      .where(
        and(
          eq(upstreamGrants.userId, sql.placeholder('userId')),
          eq(upstreamGrants.provider, sql.placeholder('provider')),
        ),
      )
      .prepare(),
  );

  return {
    find(userId: UserId, provider: string): UpstreamGrant | undefined {
      const row = readOrOutage(() => ofUser().get({ userId, provider }));
      return row === undefined ? undefined : toGrant(row);
    },

    list(userId: UserId): UpstreamGrant[] {
      return readOrOutage(() =>
        db.reader.select().from(upstreamGrants).where(eq(upstreamGrants.userId, userId)).all(),
      ).map(toGrant);
    },

    listActive(): UpstreamGrant[] {
      return readOrOutage(() =>
        db.reader.select().from(upstreamGrants).where(eq(upstreamGrants.status, 'active')).all(),
      ).map(toGrant);
    },

    count(status: UpstreamGrant['status']): number {
      const row = db.reader
        .select({ count: count() })
        .from(upstreamGrants)
        .where(eq(upstreamGrants.status, status))
        .get();
      return row?.count ?? 0;
    },

    /** Takes the place of what this person had at this provider. */
    put(tx: Tx, grant: UpstreamGrant): void {
      const { userId, provider } = grant;
      tx.delete(upstreamGrants).where(of(userId, provider)).run();
      tx.insert(upstreamGrants).values(fromGrant(grant)).run();
    },

    /** Replaces the tokens of exactly this version; `undefined` when it is gone, ended or older than what is there. */
    replaceTokens(
      tx: Tx,
      { id, version }: UpstreamGrant,
      tokens: RefreshedTokens,
    ): UpstreamGrant | undefined {
      const { sealedAccessToken, sealedRefreshToken, obtainedAt, expiresAt, scope } = tokens;
      const row = tx
        .update(upstreamGrants)
        .set({
          sealedAccessToken,
          ...(sealedRefreshToken !== undefined && { sealedRefreshToken }),
          obtainedAtMs: obtainedAt,
          expiresAtMs: expiresAt ?? null,
          ...(scope !== undefined && { scope }),
          version: version + 1,
        })
        .where(isStill({ id, version }))
        .returning()
        .get();
      return row === undefined ? undefined : toGrant(row);
    },

    /** Drops the tokens of exactly this version and says why; `false` when there is nothing like that. */
    markEnded(tx: Tx, { id, version }: UpstreamGrant, endReason: GrantEndReason): boolean {
      return (
        tx
          .update(upstreamGrants)
          .set({ status: 'link_again', endReason, sealedAccessToken: null, sealedRefreshToken: null })
          .where(isStill({ id, version }))
          .returning({ id: upstreamGrants.id })
          .get() !== undefined
      );
    },

    /** Removes and returns it. */
    remove(tx: Tx, userId: UserId, provider: string): UpstreamGrant | undefined {
      const row = tx.delete(upstreamGrants).where(of(userId, provider)).returning().get();
      return row === undefined ? undefined : toGrant(row);
    },

    /** Seals anew what is sealed; `reseal` gives `undefined` for what need not change. Returns how many rows changed. */
    resealAll(tx: Tx, reseal: (grant: UpstreamGrant) => Partial<RefreshedTokens> | undefined): number {
      let changed = 0;
      for (const row of tx.select().from(upstreamGrants).all()) {
        const set = reseal(toGrant(row));
        if (set === undefined) continue;
        tx.update(upstreamGrants).set(set).where(eq(upstreamGrants.id, row.id)).run();
        changed++;
      }
      return changed;
    },
  };
}

const of = (userId: UserId, provider: string) =>
  and(eq(upstreamGrants.userId, userId), eq(upstreamGrants.provider, provider));

const isStill = ({ id, version }: Pick<UpstreamGrant, 'id' | 'version'>) =>
  and(eq(upstreamGrants.id, id), eq(upstreamGrants.version, version), eq(upstreamGrants.status, 'active'));

function toGrant(row: typeof upstreamGrants.$inferSelect): UpstreamGrant {
  return {
    id: row.id as UpstreamGrantId,
    userId: row.userId as UserId,
    provider: row.provider,
    subject: row.subject,
    accountName: row.accountName ?? undefined,
    scope: row.scope ?? undefined,
    status: row.status,
    endReason: row.endReason ?? undefined,
    sealedAccessToken: (row.sealedAccessToken ?? undefined) as Sealed | undefined,
    sealedRefreshToken: (row.sealedRefreshToken ?? undefined) as Sealed | undefined,
    obtainedAt: row.obtainedAtMs,
    expiresAt: row.expiresAtMs ?? undefined,
    version: row.version,
    linkedAt: row.linkedAtMs,
  };
}

function fromGrant(grant: UpstreamGrant): typeof upstreamGrants.$inferInsert {
  const { obtainedAt, expiresAt, linkedAt, ...columns } = grant;
  return { ...columns, obtainedAtMs: obtainedAt, expiresAtMs: expiresAt ?? null, linkedAtMs: linkedAt };
}
