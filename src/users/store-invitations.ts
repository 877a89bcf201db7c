import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { invitations } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Branded } from '../lib/brand.ts';
import { once } from '../lib/once.ts';
import type { UserId, UserRole } from './model.ts';

export type InvitationId = Branded<`inv_${string}`, 'InvitationId'>;
export type InvitationPurpose = 'invite' | 'reset_password';

/** A link that lets one person in once: an invitation, or a new password for somebody. */
export interface Invitation {
  readonly id: InvitationId;
  readonly purpose: InvitationPurpose;
  /** What an invited person becomes. */
  readonly role: UserRole;
  /** Whose password is set anew. */
  readonly userId: UserId | undefined;
  readonly createdByUserId: UserId | undefined;
  readonly createdBySessionId: string | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export type InvitationStore = ReturnType<typeof invitationStore>;

/** Single-use links; of their secrets only hashes are kept. A link that was used, ran out or was voided is absent. */
export function invitationStore(db: Db) {
  const bySecret = once(() =>
    db.reader
      .select()
      .from(invitations)
      .where(
        and(
          eq(invitations.secretHash, sql.placeholder('hash')),
          isNull(invitations.usedAtMs),
          gt(invitations.expiresAtMs, sql.placeholder('now')),
        ),
      )
      .prepare(),
  );

  return {
    /** A link that is still good at `now`. */
    findLive(secretHash: string, now: number): Invitation | undefined {
      const row = bySecret().get({ hash: secretHash, now });
      return row === undefined ? undefined : toInvitation(row);
    },

    /** Links of one purpose that are still good at `now`, oldest first. */
    listLive(purpose: InvitationPurpose, now: number): Invitation[] {
      return db.reader
        .select()
        .from(invitations)
        .where(
          and(
            eq(invitations.purpose, purpose),
            isNull(invitations.usedAtMs),
            gt(invitations.expiresAtMs, now),
          ),
        )
        .orderBy(invitations.createdAtMs)
        .all()
        .map(toInvitation);
    },

    insert(tx: Tx, invitation: Invitation, secretHash: string): void {
      const { createdAt, expiresAt, ...columns } = invitation;
      tx.insert(invitations)
        .values({ ...columns, secretHash, createdAtMs: createdAt, expiresAtMs: expiresAt })
        .run();
    },

    /** Uses a link up; `undefined` when it is no longer good at `now`. */
    consume(tx: Tx, id: InvitationId, now: number): Invitation | undefined {
      const row = tx
        .update(invitations)
        .set({ usedAtMs: now })
        .where(and(eq(invitations.id, id), isNull(invitations.usedAtMs), gt(invitations.expiresAtMs, now)))
        .returning()
        .get();
      return row === undefined ? undefined : toInvitation(row);
    },

    /** Voids one link; `undefined` when there was none to void. */
    delete(tx: Tx, id: InvitationId): Invitation | undefined {
      const open = and(eq(invitations.id, id), isNull(invitations.usedAtMs));
      return tx.delete(invitations).where(open).returning().all().map(toInvitation)[0];
    },

    /** Voids what these sessions made and nobody used yet; returns them. */
    deleteOfSessions(tx: Tx, sessionIds: readonly string[]): Invitation[] {
      const open = and(isOneOf(invitations.createdBySessionId, sessionIds), isNull(invitations.usedAtMs));
      return tx.delete(invitations).where(open).returning().all().map(toInvitation);
    },

    /** Voids what this person made and nobody used yet; returns them. */
    deleteOfUser(tx: Tx, userId: UserId): Invitation[] {
      const open = and(eq(invitations.createdByUserId, userId), isNull(invitations.usedAtMs));
      return tx.delete(invitations).where(open).returning().all().map(toInvitation);
    },

    /** Voids the links that would set this person's password. */
    deleteResetsFor(tx: Tx, userId: UserId): void {
      tx.delete(invitations)
        .where(and(eq(invitations.userId, userId), isNull(invitations.usedAtMs)))
        .run();
    },

    /** Deletes at most `limit` links that ran out by `now`, used or not; returns how many. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, invitations, invitations.expiresAtMs, now, limit),
  };
}

function toInvitation(row: typeof invitations.$inferSelect): Invitation {
  return {
    id: row.id as InvitationId,
    purpose: row.purpose,
    role: row.role,
    userId: (row.userId ?? undefined) as UserId | undefined,
    createdByUserId: (row.createdByUserId ?? undefined) as UserId | undefined,
    createdBySessionId: row.createdBySessionId ?? undefined,
    createdAt: row.createdAtMs,
    expiresAt: row.expiresAtMs,
  };
}
