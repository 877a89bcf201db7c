import type { AuditAction } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newId, newSecret } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { isLive, type RevokeReason, type Session, type SessionId } from '../sessions/model.ts';
import type { Actor, UserId, UserRole } from '../users/model.ts';
import { requireOwner } from '../users/people.ts';
import type { UserStore } from '../users/store.ts';
import type {
  Invitation,
  InvitationId,
  InvitationPurpose,
  InvitationStore,
} from '../users/store-invitations.ts';
import type { CreateAccount, TypedAccount } from './local-accounts.ts';
import type { LocalSignIn, Visitor } from './local-session.ts';
import { linkNotGood } from './setup.ts';
import { hashSecret, readSecret } from './single-use-secret.ts';

export interface InvitationsDeps {
  db: Db;
  clock: Clock;
  store: UserStore;
  invitations: InvitationStore;
  ledger: Ledger;
  audit: AuditRecorder;
  createAccount: CreateAccount;
  /** The origin of `url`. */
  origin: string;
  lifetimeMs: number;
  resetLifetimeMs: number;
}

/** Who makes a link: an owner in a browser session, or the operator at the machine. */
export type Inviter = Actor & { readonly sessionId?: SessionId | undefined };

export interface NewLink {
  readonly id: InvitationId;
  /** Told once: only a hash of its secret is kept. */
  readonly link: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Ends that say nothing against the one who signed in; an invitation outlives them, as it outlives the idle timeout. */
const HARMLESS_ENDS: readonly RevokeReason[] = ['signed_out', 'replaced', 'provider_logout', 'parent_ended'];

const PATHS: Readonly<Record<InvitationPurpose, string>> = {
  invite: '/invitation',
  reset_password: '/reset-password',
};

export type Invitations = ReturnType<typeof invitationLinks>;

/** Single-use links that let a person in: invitations, and new passwords for people who lost theirs. */
export function invitationLinks(deps: InvitationsDeps) {
  const { db, clock, store, invitations, ledger, audit, createAccount, origin } = deps;

  const record = (tx: Tx, action: AuditAction, { id, userId, role }: Invitation, by: Inviter) =>
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: 'success',
      actorUserId: by.userId,
      subjectUserId: userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: userId === undefined ? { invitation: id, role } : { invitation: id },
    });

  const make = (tx: Tx, link: Pick<Invitation, 'purpose' | 'role' | 'userId'>, by: Inviter): NewLink => {
    if (by.sessionId !== undefined) ledger.requireLive(tx, by.sessionId);
    requireOwner(store, by);
    const secret = newSecret();
    const now = clock.now();
    const lifetimeMs = link.purpose === 'invite' ? deps.lifetimeMs : deps.resetLifetimeMs;
    const invitation: Invitation = {
      ...link,
      id: newId('inv') as InvitationId,
      createdByUserId: by.userId,
      createdBySessionId: by.sessionId,
      createdAt: now,
      expiresAt: now + lifetimeMs,
    };
    invitations.insert(tx, invitation, hashSecret(secret));
    record(
      tx,
      link.purpose === 'invite' ? 'invitation.created' : 'user.password_reset_issued',
      invitation,
      by,
    );
    return {
      id: invitation.id,
      link: `${origin}${PATHS[link.purpose]}#${secret}`,
      expiresAt: invitation.expiresAt,
    };
  };

  const issueResetIn = (tx: Tx, userId: UserId, by: Inviter): NewLink => {
    const user = store.find(userId);
    if (user === undefined) throw new AppError('not_found', 'unknown_user', 'There is no such user.');
    invitations.deleteResetsFor(tx, userId);
    return make(tx, { purpose: 'reset_password', role: user.role, userId }, by);
  };

  /** Whether who made it still may, and has not ended everything since ("everywhere") but for the session that it hangs on. */
  const standingOf = ({
    createdByUserId,
    createdBySessionId,
    createdAt,
  }: Invitation): 'stands' | 'void' | { readonly hangsOn: SessionId } => {
    if (createdByUserId === undefined) return 'stands';
    const creator = store.find(createdByUserId);
    if (creator?.role !== 'owner' || creator.status !== 'active') return 'void';
    if (creator.endedBefore === undefined || creator.endedBefore < createdAt) return 'stands';
    return createdBySessionId === undefined ? 'void' : { hangsOn: createdBySessionId as SessionId };
  };

  const lives = (session: Session | undefined) => session !== undefined && isLive(session, clock.now());

  const isStanding = async (invitation: Invitation): Promise<boolean> => {
    const standing = standingOf(invitation);
    if (typeof standing === 'string') return standing === 'stands';
    return lives(await ledger.find(standing.hangsOn));
  };

  const find = async (typed: string | undefined, purpose: InvitationPurpose): Promise<Invitation> => {
    const secret = readSecret(typed);
    const found = secret === undefined ? undefined : invitations.findLive(hashSecret(secret), clock.now());
    if (found?.purpose !== purpose || !(await isStanding(found))) throw linkNotGood();
    return found;
  };

  const claim = (tx: Tx, id: InvitationId): Invitation => {
    const used = invitations.consume(tx, id, clock.now());
    const standing = used === undefined ? 'void' : standingOf(used);
    const isVoid =
      typeof standing === 'string' ? standing === 'void' : !lives(ledger.findIn(tx, standing.hangsOn));
    if (used === undefined || isVoid) throw linkNotGood();
    return used;
  };

  const used = (tx: Tx, invitation: Invitation, by: Actor) =>
    record(tx, 'invitation.used', { ...invitation, userId: undefined }, by);

  return {
    /**
     * An invitation, to be handed to one person.
     * @throws AppError `forbidden` (`owner_required`), `unauthorized` (`session_ended`).
     */
    invite: (role: UserRole, by: Inviter): Promise<NewLink> =>
      db.write((tx) => make(tx, { purpose: 'invite', role, userId: undefined }, by)),

    /**
     * A link that sets a new password for somebody; the ones made before are void.
     * @throws AppError as `invite`, and `not_found` (`unknown_user`).
     */
    issueReset: (userId: UserId, by: Inviter): Promise<NewLink> =>
      db.write((tx) => issueResetIn(tx, userId, by)),
    /** The same, in the transaction that makes that somebody. */
    issueResetIn,

    /** Invitations that somebody could still use. */
    async list(): Promise<Invitation[]> {
      const standing: Invitation[] = [];
      for (const each of invitations.listLive('invite', clock.now())) {
        if (await isStanding(each)) standing.push(each);
      }
      return standing;
    },

    /** @throws AppError `forbidden` (`owner_required`), `not_found` (`unknown_invitation`). */
    void: (id: InvitationId, by: Inviter): Promise<void> =>
      db.write((tx) => {
        requireOwner(store, by);
        const gone = invitations.delete(tx, id);
        if (gone === undefined)
          throw new AppError('not_found', 'unknown_invitation', 'There is no such invitation.');
        record(tx, 'invitation.voided', { ...gone, userId: undefined }, by);
      }),

    /** The link behind what was typed. @throws AppError `gone` (`link_not_good`). */
    find,

    /** Uses a link up, in the transaction that lets the person in. @throws AppError `gone` (`link_not_good`). */
    claim,
    /** Its audit row, once it is known who that is. */
    used,

    /**
     * Makes a user with a password for who holds the invitation, and signs the browser in.
     * @throws AppError `gone` (`link_not_good`), and as `localAccounts` does.
     */
    async accept(typed: string | undefined, account: TypedAccount, visitor: Visitor): Promise<LocalSignIn> {
      const invitation = await find(typed, 'invite');
      return createAccount({
        account,
        role: invitation.role,
        how: 'invitation',
        visitor,
        claim: (tx) => void claim(tx, invitation.id),
        claimed: (tx, user) => used(tx, invitation, { userId: user.id, ...visitor }),
      });
    },

    /** For `Ledger.whenEnding`: a session that was ended for a reason takes the links it made with it. */
    voidOfSessions(tx: Tx, sessionIds: readonly SessionId[], reason: RevokeReason): void {
      if (HARMLESS_ENDS.includes(reason)) return;
      for (const each of invitations.deleteOfSessions(tx, sessionIds)) {
        record(tx, 'invitation.voided', { ...each, userId: undefined }, {});
      }
    },
  };
}
