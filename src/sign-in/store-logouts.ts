import { and, eq, gt, gte, or } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { logoutTokenIds, providerLogouts } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';

/** Whom a provider logged out: a session of its own, or a person. */
export interface ProviderSubject {
  provider: string;
  sid: string | undefined;
  subject: string;
}

export interface ProviderLogout {
  provider: string;
  claim: 'sid' | 'sub';
  value: string;
  at: number;
  expiresAt: number;
}

export type LogoutStore = ReturnType<typeof logoutStore>;

/** Logouts that providers told us of, and the ids of the tokens that told it. */
export function logoutStore() {
  return {
    /** Remembers a logout; a later one of the same person or session takes its place. */
    remember(tx: Tx, { provider, claim, value, at, expiresAt }: ProviderLogout): void {
      const set = { atMs: at, expiresAtMs: expiresAt };
      tx.insert(providerLogouts)
        .values({ provider, claim, value, ...set })
        .onConflictDoUpdate({
          target: [providerLogouts.provider, providerLogouts.claim, providerLogouts.value],
          set,
        })
        .run();
    },

    /** Whether a logout of this session or person came at `since` or later. */
    happenedSince(tx: Tx, { provider, sid, subject }: ProviderSubject, since: number): boolean {
      const bySubject = and(eq(providerLogouts.claim, 'sub'), eq(providerLogouts.value, subject));
      const bySid =
        sid === undefined ? undefined : and(eq(providerLogouts.claim, 'sid'), eq(providerLogouts.value, sid));
      const row = tx
        .select({ at: providerLogouts.atMs })
        .from(providerLogouts)
        .where(
          and(eq(providerLogouts.provider, provider), gte(providerLogouts.atMs, since), or(bySubject, bySid)),
        )
        .limit(1)
        .get();
      return row !== undefined;
    },

    /** Takes a token id; `false` when it was taken before and could still be good at `now`. */
    takeTokenId(tx: Tx, id: { provider: string; jti: string; expiresAt: number }, now: number): boolean {
      const { provider, jti, expiresAt } = id;
      const sameId = and(eq(logoutTokenIds.provider, provider), eq(logoutTokenIds.jti, jti));
      const taken = tx
        .select({ jti: logoutTokenIds.jti })
        .from(logoutTokenIds)
        .where(and(sameId, gt(logoutTokenIds.expiresAtMs, now)))
        .get();
      if (taken !== undefined) return false;
      tx.insert(logoutTokenIds)
        .values({ provider, jti, expiresAtMs: expiresAt })
        .onConflictDoUpdate({
          target: [logoutTokenIds.provider, logoutTokenIds.jti],
          set: { expiresAtMs: expiresAt },
        })
        .run();
      return true;
    },

    /** Deletes at most `limit` logouts that no longer count at `now`; returns how many. */
    deleteExpiredLogouts: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, providerLogouts, providerLogouts.expiresAtMs, now, limit),

    /** Deletes at most `limit` token ids that could no longer be good at `now`; returns how many. */
    deleteExpiredTokenIds: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, logoutTokenIds, logoutTokenIds.expiresAtMs, now, limit),
  };
}
