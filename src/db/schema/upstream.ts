import { index, integer, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core';
import { users } from './users.ts';

/** Tokens that a person let us hold at a provider, sealed. One row for each person and provider; its id is new with every link. */
export const upstreamGrants = sqliteTable(
  'upstream_grants',
  {
    id: text('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    provider: text('provider').notNull(),
    /** The account at the provider, and what the provider calls it. */
    subject: text('subject').notNull(),
    accountName: text('account_name'),
    scope: text('scope'),
    /** `link_again`: no token is kept any more; `end_reason` says why. */
    status: text('status', { enum: ['active', 'link_again'] }).notNull(),
    endReason: text('end_reason', { enum: ['invalid_grant', 'expired', 'unreadable', 'restored'] }),
    sealedAccessToken: text('sealed_access_token'),
    sealedRefreshToken: text('sealed_refresh_token'),
    /** When the access token was obtained, and when it ends; absent where the provider names no end. */
    obtainedAtMs: integer('obtained_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms'),
    /** Grows with every token of this person at this provider, over links too. */
    version: integer('version').notNull(),
    linkedAtMs: integer('linked_at_ms').notNull(),
  },
  (table) => [unique('upstream_grants_user_provider').on(table.userId, table.provider)],
);

/** Secrets that a person pasted for servers that take a personal access token, sealed. */
export const userSecrets = sqliteTable(
  'user_secrets',
  {
    id: text('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    sealed: text('sealed').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [unique('user_secrets_user_name').on(table.userId, table.name)],
);

/** Links that have begun at a provider. Consumed once, by the browser and the session that began them. */
export const upstreamLinks = sqliteTable(
  'upstream_links',
  {
    id: text('id').primaryKey(),
    provider: text('provider').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** Ending it voids the link. */
    sessionId: text('session_id').notNull(),
    /** SHA-256 of the secret in the browser's cookie for this link. */
    browserHash: text('browser_hash').notNull(),
    returnTo: text('return_to').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    index('upstream_links_expires').on(table.expiresAtMs),
    index('upstream_links_session').on(table.sessionId),
    index('upstream_links_user').on(table.userId),
  ],
);

/**
 * Whose turn it is to ask a provider for new tokens, where several processes share the database: a refresh token is used
 * once. A row is gone as soon as new tokens stand.
 */
export const upstreamTurns = sqliteTable('upstream_turns', {
  grantId: text('grant_id')
    .primaryKey()
    .references(() => upstreamGrants.id, { onDelete: 'cascade' }),
  /** The process that asks. Absent: it has asked in vain, and nobody asks again before `until_ms`. */
  holder: text('holder'),
  untilMs: integer('until_ms').notNull(),
  /** When another process found that the holder's time had passed. */
  doubtedAtMs: integer('doubted_at_ms'),
});
