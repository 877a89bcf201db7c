import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { sessions } from './sessions.ts';
import { users } from './users.ts';

/** Public clients that registered themselves (RFC 7591). The same metadata is the same row. */
export const oauthClients = sqliteTable(
  'oauth_clients',
  {
    id: text('id').primaryKey(),
    /** SHA-256 of what was registered, in one canonical form. */
    metadataHash: text('metadata_hash').notNull().unique(),
    metadata: text('metadata', { mode: 'json' }).$type<unknown>().notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    /** When the reaper looks at it; every use puts that off. */
    reapAtMs: integer('reap_at_ms').notNull(),
  },
  (table) => [index('oauth_clients_reap').on(table.reapAtMs)],
);

/** Authorization requests that were consented to and wait for an account to be linked. Consumed once. */
export const oauthRequests = sqliteTable(
  'oauth_requests',
  {
    hash: text('hash').primaryKey(),
    /** Ending it voids the request. */
    sessionId: text('session_id').notNull(),
    request: text('request', { mode: 'json' }).$type<unknown>().notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    index('oauth_requests_session').on(table.sessionId),
    index('oauth_requests_expires').on(table.expiresAtMs),
  ],
);

/** Authorization codes. A redeemed one stays with what it gave, so that its reuse is recognised. */
export const oauthCodes = sqliteTable(
  'oauth_codes',
  {
    hash: text('hash').primaryKey(),
    clientId: text('client_id').notNull(),
    /** What the client called itself when consent was given. */
    clientName: text('client_name').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** The browser session that consented; ending it voids a code that is not redeemed. */
    issuedBy: text('issued_by'),
    redirectUri: text('redirect_uri').notNull(),
    resource: text('resource').notNull(),
    scope: text('scope').notNull(),
    codeChallenge: text('code_challenge').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    redeemedAtMs: integer('redeemed_at_ms'),
    /** The grant that it was redeemed for. */
    sessionId: text('session_id').references(() => sessions.id, { onDelete: 'cascade' }),
  },
  (table) => [
    index('oauth_codes_user').on(table.userId),
    index('oauth_codes_issued_by').on(table.issuedBy),
    index('oauth_codes_session').on(table.sessionId),
    index('oauth_codes_expires').on(table.expiresAtMs).where(sql`${table.sessionId} is null`),
  ],
);
