import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const users = sqliteTable('users', {
  rowKey: integer('row_key').primaryKey(),
  id: text('id').notNull().unique(),
  username: text('username').notNull(),
  /** The username folded for comparison (`users/name.ts`). */
  usernameKey: text('username_key').notNull().unique(),
  displayName: text('display_name').notNull(),
  email: text('email'),
  emailKey: text('email_key').unique(),
  groups: text('groups', { mode: 'json' }).$type<string[]>().notNull(),
  role: text('role', { enum: ['owner', 'member'] }).notNull(),
  /** Owner because a provider's `owners` says so, and only as long as it does. */
  ownerByRule: integer('owner_by_rule', { mode: 'boolean' }).notNull().default(false),
  status: text('status', { enum: ['active', 'disabled'] }).notNull(),
  /** What of this person began until then is over, but for one session and its children. */
  endedBeforeMs: integer('ended_before_ms'),
  endedExceptId: text('ended_except_id'),
  createdAtMs: integer('created_at_ms').notNull(),
  lastSignInAtMs: integer('last_sign_in_at_ms'),
});

export const identities = sqliteTable(
  'identities',
  {
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    provider: text('provider').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** Let in by the setup link or an invitation: `allow` need not match. */
    invited: integer('invited', { mode: 'boolean' }).notNull().default(false),
    createdAtMs: integer('created_at_ms').notNull(),
    lastUsedAtMs: integer('last_used_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.subject] }),
    index('identities_user').on(table.userId),
  ],
);

export const localCredentials = sqliteTable('local_credentials', {
  userId: text('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** Argon2id in PHC form. */
  passwordHash: text('password_hash').notNull(),
  changedAtMs: integer('changed_at_ms').notNull(),
});

/** Usernames of people who were removed: no provider can hand one to somebody else, who would be them at every app. */
export const retiredUsernames = sqliteTable('retired_usernames', {
  usernameKey: text('username_key').primaryKey(),
  retiredAtMs: integer('retired_at_ms').notNull(),
});

/** Invitations, and the one-time links of `postern user` for a lost password. */
export const invitations = sqliteTable('invitations', {
  id: text('id').primaryKey(),
  secretHash: text('secret_hash').notNull().unique(),
  purpose: text('purpose', { enum: ['invite', 'reset_password'] }).notNull(),
  role: text('role', { enum: ['owner', 'member'] }).notNull(),
  /** For whom a password is reset. */
  userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
  createdByUserId: text('created_by_user_id'),
  /** The session that made it: ending that session voids it. */
  createdBySessionId: text('created_by_session_id'),
  createdAtMs: integer('created_at_ms').notNull(),
  expiresAtMs: integer('expires_at_ms').notNull(),
  usedAtMs: integer('used_at_ms'),
});
