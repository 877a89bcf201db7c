import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { sessions } from './sessions.ts';
import { users } from './users.ts';

/** What programs without a browser ask for (RFC 8628), until a person has answered and the program has fetched the answer. */
export const oauthDeviceRequests = sqliteTable(
  'oauth_device_requests',
  {
    /** SHA-256 of the device code. */
    deviceHash: text('device_hash').primaryKey(),
    /** HMAC of the user code. */
    userCodeHash: text('user_code_hash').notNull().unique(),
    clientId: text('client_id').notNull(),
    clientName: text('client_name').notNull(),
    /** Indicators that it may be about, one of which is chosen at consent. */
    resources: text('resources', { mode: 'json' }).$type<string[]>().notNull(),
    address: text('address'),
    status: text('status', { enum: ['pending', 'approved', 'denied', 'redeemed'] }).notNull(),
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    /** The browser session that consented; ending it voids what is not redeemed. */
    issuedBy: text('issued_by'),
    resource: text('resource'),
    scope: text('scope'),
    /** The grant that it was redeemed for. */
    sessionId: text('session_id').references(() => sessions.id, { onDelete: 'cascade' }),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    /** Later than the end, so that a program which asks too late is told so. */
    reapAtMs: integer('reap_at_ms').notNull(),
  },
  (table) => [
    index('oauth_device_requests_user').on(table.userId),
    index('oauth_device_requests_issued_by').on(table.issuedBy),
    index('oauth_device_requests_session').on(table.sessionId),
    index('oauth_device_requests_reap').on(table.reapAtMs),
  ],
);
