import type { AuditAction, AuditDetail } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/random.ts';
import { identitySignIn } from './identity-sign-in.ts';
import type { Actor, User, UserId, UserRole } from './model.ts';
import { cleanDisplayName } from './name.ts';
import type { UserPatch, UserStore } from './store.ts';
import type { InvitationStore } from './store-invitations.ts';
import { requireFreeUsername } from './usernames.ts';

interface EndingReason {
  reason: 'user_disabled' | 'user_removed';
  actorUserId?: UserId | undefined;
  address?: string | undefined;
}

/** A person whose sessions are about to end, and what the audit says of it. */
interface PersonEnding {
  user: UserId;
  devices: boolean;
  context: EndingReason;
}

/** What the ledger does for people; `Ledger` is one. */
export interface SessionEnding {
  writeEnding<T>(targets: readonly PersonEnding[], job: (tx: Tx) => T): Promise<T>;
  endAllIn(tx: Tx, userId: UserId, context: EndingReason & { devices?: boolean }): number;
  userChanged(tx: Tx, userId: UserId): void;
}

export interface PeopleDeps {
  db: Db;
  clock: Clock;
  store: UserStore;
  invitations: InvitationStore;
  audit: AuditRecorder;
  sessions: SessionEnding;
}

export interface NewLocalUser {
  username: string;
  displayName?: string | undefined;
  role: UserRole;
  by: Actor;
  /** Whether the operator or an owner chose the name, who may give one that was somebody's. */
  chosenByOperator?: boolean;
}

export type People = ReturnType<typeof people>;

/** Everything that makes, changes and removes people. Each act is one transaction with its audit row. */
export function people({ db, clock, store, invitations, audit, sessions }: PeopleDeps) {
  const record = (tx: Tx, action: AuditAction, user: User, by: Actor, detail?: AuditDetail) => {
    const { userId: actorUserId, address, userAgent } = by;
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: 'success',
      actorUserId,
      subjectUserId: user.id,
      address,
      userAgent,
      detail,
    });
  };

  const change = (tx: Tx, user: User, patch: UserPatch): User => {
    store.update(tx, user.id, patch);
    sessions.userChanged(tx, user.id);
    return store.find(user.id) ?? user;
  };

  /** Ends what a person who may not sign in any more holds, and what they began. */
  const endAll = (
    tx: Tx,
    user: User,
    by: Actor,
    reason: 'user_disabled' | 'user_removed',
    devices: boolean,
  ) => {
    invitations.deleteOfUser(tx, user.id);
    invitations.deleteResetsFor(tx, user.id);
    return sessions.endAllIn(tx, user.id, { reason, actorUserId: by.userId, address: by.address, devices });
  };

  return {
    /** See `identitySignIn`. */
    signInByIdentity: identitySignIn({ store, audit, userChanged: (tx, id) => sessions.userChanged(tx, id) }),

    /**
     * A person who signs in with a password, or is about to get one.
     * @throws AppError `unprocessable` (`bad_username`, `reserved_username`), `conflict` (`username_taken`).
     */
    createLocal(tx: Tx, { username, displayName, role, by, chosenByOperator = false }: NewLocalUser): User {
      requireFreeUsername(store, username, { role, isOperator: chosenByOperator });
      const now = clock.now();
      const user: User = {
        id: newId('usr') as UserId,
        username,
        displayName: cleanDisplayName(displayName) ?? username,
        email: undefined,
        groups: [],
        role,
        status: 'active',
        endedBefore: undefined,
        createdAt: now,
        lastSignInAt: undefined,
      };
      store.insert(tx, user);
      record(tx, 'user.created', user, by, { role, username });
      return user;
    },

    /**
     * Nobody signs in as this person until `enable`; their browser sessions and grants end, their devices when asked.
     * @throws AppError `not_found` (`unknown_user`), `conflict` (`last_owner`), `forbidden` (`owner_required`).
     */
    disable(id: UserId, by: Actor, { devices = false }: { devices?: boolean } = {}): Promise<User> {
      return sessions.writeEnding([ending(id, by, 'user_disabled', devices)], (tx) => {
        requireOwner(store, by);
        const user = requireUser(store, id);
        requireAnotherOwner(store, user);
        const disabled = change(tx, user, { status: 'disabled' });
        const ended = endAll(tx, user, by, 'user_disabled', devices);
        if (user.status === 'active')
          record(tx, 'user.disabled', user, by, { sessions_ended: ended, devices });
        return disabled;
      });
    },

    /** @throws AppError `not_found` (`unknown_user`), `forbidden` (`owner_required`). */
    enable(id: UserId, by: Actor): Promise<User> {
      return db.write((tx) => {
        requireOwner(store, by);
        const user = requireUser(store, id);
        if (user.status === 'active') return user;
        record(tx, 'user.enabled', user, by);
        return change(tx, user, { status: 'active' });
      });
    },

    /**
     * Removes a person with sessions, grants and devices; the username stays taken for people from providers.
     * @throws AppError `not_found` (`unknown_user`), `conflict` (`last_owner`), `forbidden` (`owner_required`).
     */
    remove(id: UserId, by: Actor): Promise<void> {
      return sessions.writeEnding([ending(id, by, 'user_removed', true)], (tx) => {
        requireOwner(store, by);
        const user = requireUser(store, id);
        requireAnotherOwner(store, user);
        const ended = endAll(tx, user, by, 'user_removed', true);
        record(tx, 'user.removed', user, by, { username: user.username, sessions_ended: ended });
        store.remove(tx, user, clock.now());
        sessions.userChanged(tx, user.id);
      });
    },

    /** @throws AppError `not_found` (`unknown_user`), `conflict` (`last_owner`), `forbidden` (`owner_required`). */
    setRole(id: UserId, role: UserRole, by: Actor): Promise<User> {
      return db.write((tx) => {
        requireOwner(store, by);
        const user = requireUser(store, id);
        if (user.role !== role) {
          if (role !== 'owner') requireAnotherOwner(store, user);
          record(tx, 'user.role_changed', user, by, { role });
        }
        return change(tx, user, { role, ownerByRule: false });
      });
    },
  };
}

function ending(user: UserId, by: Actor, reason: EndingReason['reason'], devices: boolean): PersonEnding {
  return { user, devices, context: { reason, actorUserId: by.userId, address: by.address } };
}

function requireUser(store: UserStore, id: UserId): User {
  const user = store.find(id);
  if (user === undefined) throw new AppError('not_found', 'unknown_user', 'There is no such user.');
  return user;
}

/** Read inside the transaction: somebody who was an owner when the page was opened may be none any more. */
export function requireOwner(store: UserStore, { userId }: Actor): void {
  if (userId === undefined) return;
  const actor = store.find(userId);
  if (actor?.role === 'owner' && actor.status === 'active') return;
  throw new AppError('forbidden', 'owner_required', 'Only an owner may do this.');
}

/** Holds that the site keeps an owner who can sign in once `user` is none. */
function requireAnotherOwner(store: UserStore, user: User): void {
  if (user.role !== 'owner' || user.status !== 'active' || store.countActiveOwners() > 1) return;
  throw new AppError(
    'conflict',
    'last_owner',
    'This is the last active owner; make somebody else an owner first.',
  );
}
