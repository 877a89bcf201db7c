import { and, count, eq, sql } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { applianceState, identities, retiredUsernames, users } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import { foldName, type Identity, type User, type UserId } from './model.ts';
import { toUser } from './store-row.ts';

/** What may change of a person; the username never does. */
export type UserPatch = Partial<
  Pick<User, 'displayName' | 'email' | 'groups' | 'role' | 'status' | 'lastSignInAt'>
> & {
  ownerByRule?: boolean;
};

export type UserStore = ReturnType<typeof userStore>;

/**
 * People and their identities in SQLite. Absence is `undefined`; only an outage throws.
 * Statements are built at their first use: together they would take a fifth of the time to start.
 */
export function userStore(db: Db) {
  const byId = once(() =>
    db.reader
      .select()
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare(),
  );
  const byUsername = once(() =>
    db.reader
      .select()
      .from(users)
      .where(eq(users.usernameKey, sql.placeholder('key')))
      .prepare(),
  );
  const byEmail = once(() =>
    db.reader
      .select()
      .from(users)
      .where(eq(users.emailKey, sql.placeholder('key')))
      .prepare(),
  );
  const byIdentity = once(() =>
    db.reader
      .select({ user: users, identity: identities })
      .from(identities)
      .innerJoin(users, eq(users.id, identities.userId))
      .where(
        and(
          eq(identities.issuer, sql.placeholder('issuer')),
          eq(identities.subject, sql.placeholder('subject')),
        ),
      )
      .prepare(),
  );
  const retired = once(() =>
    db.reader
      .select()
      .from(retiredUsernames)
      .where(eq(retiredUsernames.usernameKey, sql.placeholder('key')))
      .prepare(),
  );

  return {
    find(id: UserId): User | undefined {
      const row = byId().get({ id });
      return row === undefined ? undefined : toUser(row);
    },

    findByIdentity(issuer: string, subject: string): User | undefined {
      const row = byIdentity().get({ issuer, subject });
      return row === undefined ? undefined : toUser(row.user);
    },

    findByUsername(username: string): User | undefined {
      const row = byUsername().get({ key: foldName(username) });
      return row === undefined ? undefined : toUser(row);
    },

    findByEmail(email: string): User | undefined {
      const row = byEmail().get({ key: foldName(email) });
      return row === undefined ? undefined : toUser(row);
    },

    /** Whether an invitation or the setup link let this identity in, so that `allow` need not match it. */
    isInvited(issuer: string, subject: string): boolean {
      return byIdentity().get({ issuer, subject })?.identity.invited ?? false;
    },

    /** Whether somebody has the name, or had it once. */
    isUsernameUsed(username: string): boolean {
      const key = foldName(username);
      return byUsername().get({ key }) !== undefined || retired().get({ key }) !== undefined;
    },

    /** Whether being an owner comes from a provider's `owners`, and goes with it. */
    isOwnerByRule(id: UserId): boolean {
      return byId().get({ id })?.ownerByRule ?? false;
    },

    list(): User[] {
      return db.reader.select().from(users).orderBy(users.usernameKey).all().map(toUser);
    },

    identitiesOf(userId: UserId): Identity[] {
      return db.reader.select().from(identities).where(eq(identities.userId, userId)).all().map(toIdentity);
    },

    count(): number {
      return db.reader.select({ count: count() }).from(users).get()?.count ?? 0;
    },

    countActiveOwners(): number {
      const row = db.reader
        .select({ count: count() })
        .from(users)
        .where(and(eq(users.role, 'owner'), eq(users.status, 'active')))
        .get();
      return row?.count ?? 0;
    },

    /** Whether anybody was ever a user here; removing everybody does not undo it. */
    hasEverHadUsers(): boolean {
      return (
        db.reader.select().from(applianceState).where(eq(applianceState.key, 'first_user_at_ms')).get() !==
        undefined
      );
    },

    /** @throws AppError `conflict` when the username or the address is somebody's. */
    insert(tx: Tx, user: User, { ownerByRule = false }: { ownerByRule?: boolean } = {}): void {
      tx.insert(users)
        .values({
          id: user.id,
          username: user.username,
          usernameKey: foldName(user.username),
          displayName: user.displayName,
          ...emailColumns(user.email),
          groups: [...user.groups],
          role: user.role,
          ownerByRule,
          status: user.status,
          endedBeforeMs: user.endedBefore ?? null,
          createdAtMs: user.createdAt,
          lastSignInAtMs: user.lastSignInAt ?? null,
        })
        .run();
      tx.delete(retiredUsernames)
        .where(eq(retiredUsernames.usernameKey, foldName(user.username)))
        .run();
      tx.insert(applianceState)
        .values({ key: 'first_user_at_ms', integer: user.createdAt })
        .onConflictDoNothing()
        .run();
    },

    update(tx: Tx, id: UserId, patch: UserPatch): void {
      tx.update(users)
        .set({
          ...('displayName' in patch && { displayName: patch.displayName }),
          ...('email' in patch && emailColumns(patch.email)),
          ...(patch.groups !== undefined && { groups: [...patch.groups] }),
          ...(patch.role !== undefined && { role: patch.role }),
          ...(patch.ownerByRule !== undefined && { ownerByRule: patch.ownerByRule }),
          ...(patch.status !== undefined && { status: patch.status }),
          ...(patch.lastSignInAt !== undefined && { lastSignInAtMs: patch.lastSignInAt }),
        })
        .where(eq(users.id, id))
        .run();
    },

    /** Deletes the person with all that is theirs; the username stays taken for everybody a provider brings. */
    remove(tx: Tx, user: User, at: number): void {
      tx.delete(users).where(eq(users.id, user.id)).run();
      tx.insert(retiredUsernames)
        .values({ usernameKey: foldName(user.username), retiredAtMs: at })
        .onConflictDoNothing()
        .run();
    },

    insertIdentity(tx: Tx, identity: Identity, { at, invited }: { at: number; invited: boolean }): void {
      tx.insert(identities)
        .values({ ...identity, invited, createdAtMs: at, lastUsedAtMs: at })
        .run();
    },

    /** Notes that an identity was used at `at`; an invitation, once given, stays. */
    useIdentity(
      tx: Tx,
      { issuer, subject, provider }: Omit<Identity, 'userId'>,
      at: number,
      invited: boolean,
    ): void {
      tx.update(identities)
        .set({ provider, lastUsedAtMs: at, ...(invited && { invited }) })
        .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)))
        .run();
    },
  };
}

function emailColumns(email: string | undefined) {
  return { email: email ?? null, emailKey: email === undefined ? null : foldName(email) };
}

function toIdentity(row: typeof identities.$inferSelect): Identity {
  return { issuer: row.issuer, subject: row.subject, provider: row.provider, userId: row.userId as UserId };
}
