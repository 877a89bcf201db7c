import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** A sign-in at a provider that has begun. Consumed once, by the browser that began it. */
export const signInAttempts = sqliteTable(
  'sign_in_attempts',
  {
    id: text('id').primaryKey(),
    provider: text('provider').notNull(),
    /** SHA-256 of the secret in the browser's cookie for this attempt. */
    browserHash: text('browser_hash').notNull(),
    returnTo: text('return_to').notNull(),
    /** `sign_in`, or what the attempt completes: first owner, an invitation. */
    purpose: text('purpose', { enum: ['sign_in', 'setup', 'invitation'] }).notNull(),
    invitationId: text('invitation_id'),
    /** The session that began it, where one did: ending that session voids the attempt. */
    startedBySessionId: text('started_by_session_id'),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    index('sign_in_attempts_expires').on(table.expiresAtMs),
    index('sign_in_attempts_started_by').on(table.startedBySessionId),
  ],
);

/** Logouts that providers told us of, kept for ten minutes against sign-ins that were already under way. */
export const providerLogouts = sqliteTable(
  'provider_logouts',
  {
    provider: text('provider').notNull(),
    claim: text('claim', { enum: ['sid', 'sub'] }).notNull(),
    value: text('value').notNull(),
    atMs: integer('at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.provider, table.claim, table.value] }),
    index('provider_logouts_expires').on(table.expiresAtMs),
  ],
);

/** `jti` of every logout token that was accepted, until it could no longer be (OpenID Connect Back-Channel Logout section 2.6). */
export const logoutTokenIds = sqliteTable(
  'logout_token_ids',
  {
    provider: text('provider').notNull(),
    jti: text('jti').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.provider, table.jti] }),
    index('logout_token_ids_expires').on(table.expiresAtMs),
  ],
);

/** The ID token of a browser session, sealed: sign-out at the provider hands it back as `id_token_hint`. */
export const sessionIdTokens = sqliteTable(
  'session_id_tokens',
  {
    sessionId: text('session_id').primaryKey(),
    sealed: text('sealed').notNull(),
    /** The absolute end of the session. */
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('session_id_tokens_expires').on(table.expiresAtMs)],
);
