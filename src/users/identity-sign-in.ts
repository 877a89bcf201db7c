import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import { newId } from '../lib/random.ts';
import type { Actor, IdentityClaims, User, UserId, UserRole } from './model.ts';
import { cleanDisplayName, cleanGroups, parseEmail } from './name.ts';
import type { UserPatch, UserStore } from './store.ts';
import { deriveUsername } from './usernames.ts';

export interface IdentitySignInOptions {
  /** Epoch milliseconds. */
  now: number;
  /** What the provider's `owners` make of the person at this sign-in; absent: they say nothing. */
  role?: UserRole | undefined;
  /** What the setup link or an invitation makes of the person, who from then on needs no `allow`. */
  invitedAs?: UserRole | undefined;
  /** Where the request came from. */
  from?: Omit<Actor, 'userId'> | undefined;
}

export interface IdentitySignInDeps {
  store: UserStore;
  audit: AuditRecorder;
  userChanged: (tx: Tx, id: UserId) => void;
}

/**
 * The person an identity belongs to, made at the first sign-in and brought up to date at every other one.
 * The username is derived once and never changes: renaming at the provider must not make somebody another.
 * @throws AppError `forbidden` (`user_disabled`).
 */
export function identitySignIn({ store, audit, userChanged }: IdentitySignInDeps) {
  /** The address when it is well formed and nobody else's. */
  const ownEmail = (tx: Tx, id: UserId, claims: IdentityClaims, { now, from }: IdentitySignInOptions) => {
    if (parseEmail(claims.verifiedEmail) === undefined || claims.verifiedEmail === undefined)
      return undefined;
    const holder = store.findByEmail(claims.verifiedEmail);
    if (holder === undefined || holder.id === id) return claims.verifiedEmail;
    audit.record(tx, {
      at: now,
      action: 'user.email_taken',
      outcome: 'refused',
      subjectUserId: id,
      ...from,
      detail: { provider: claims.provider, held_by: holder.id },
    });
    return undefined;
  };

  const create = (tx: Tx, claims: IdentityClaims, options: IdentitySignInOptions): User => {
    const { now, role, invitedAs, from } = options;
    const isOwner = role === 'owner' || invitedAs === 'owner';
    const id = newId('usr') as UserId;
    const username = deriveUsername(store, claims, isOwner ? 'owner' : 'member');
    const user: User = {
      id,
      username,
      displayName:
        cleanDisplayName(claims.displayName) ?? cleanDisplayName(claims.preferredUsername) ?? username,
      email: ownEmail(tx, id, claims, options),
      groups: cleanGroups(claims.groups),
      role: isOwner ? 'owner' : 'member',
      status: 'active',
      endedBefore: undefined,
      createdAt: now,
      lastSignInAt: now,
    };
    store.insert(tx, user, { ownerByRule: isOwner && invitedAs !== 'owner' });
    const { issuer, subject, provider } = claims;
    store.insertIdentity(
      tx,
      { issuer, subject, provider, userId: id },
      { at: now, invited: invitedAs !== undefined },
    );
    audit.record(tx, {
      at: now,
      action: 'user.created',
      outcome: 'success',
      subjectUserId: id,
      ...from,
      detail: { provider, role: user.role, username },
    });
    return user;
  };

  /** What `owners` or an invitation change about the role; the last active owner stays one. */
  const rolePatch = (user: User, { role, invitedAs }: IdentitySignInOptions): UserPatch => {
    if (invitedAs === 'owner') return { role: 'owner', ownerByRule: false };
    if (role === 'owner') return user.role === 'owner' ? {} : { role, ownerByRule: true };
    if (role === undefined || user.role !== 'owner' || !store.isOwnerByRule(user.id)) return {};
    return store.countActiveOwners() > 1 ? { role: 'member', ownerByRule: false } : {};
  };

  const update = (tx: Tx, user: User, claims: IdentityClaims, options: IdentitySignInOptions): User => {
    const { now, invitedAs, from } = options;
    if (user.status !== 'active') throw userDisabled();
    const { ownerByRule, ...roleChange } = rolePatch(user, options);
    const updated: User = {
      ...user,
      displayName: cleanDisplayName(claims.displayName) ?? user.displayName,
      email: ownEmail(tx, user.id, claims, options),
      groups: cleanGroups(claims.groups),
      ...roleChange,
      lastSignInAt: now,
    };
    store.update(tx, user.id, { ...updated, ...(ownerByRule !== undefined && { ownerByRule }) });
    store.useIdentity(tx, claims, now, invitedAs !== undefined);
    if (updated.role !== user.role) {
      audit.record(tx, {
        at: now,
        action: 'user.role_changed',
        outcome: 'success',
        subjectUserId: user.id,
        ...from,
        detail: { role: updated.role, provider: claims.provider },
      });
    }
    if (!sameToOthers(user, updated)) userChanged(tx, user.id);
    return updated;
  };

  return (tx: Tx, claims: IdentityClaims, options: IdentitySignInOptions): User => {
    const known = store.findByIdentity(claims.issuer, claims.subject);
    return known === undefined ? create(tx, claims, options) : update(tx, known, claims, options);
  };
}

/** Whether nothing changed of what cached copies of the person show. */
function sameToOthers(before: User, after: User): boolean {
  return (
    before.displayName === after.displayName &&
    before.email === after.email &&
    before.role === after.role &&
    before.groups.join('\n') === after.groups.join('\n')
  );
}

const userDisabled = () =>
  new AppError('forbidden', 'user_disabled', 'This account is disabled. Ask an owner of this site.');
