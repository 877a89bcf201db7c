import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** One-time tickets that carry a sign-in from the appliance's origin to one protected host. */
export const hostTickets = sqliteTable(
  'host_tickets',
  {
    hash: text('hash').primaryKey(),
    host: text('host').notNull(),
    userId: text('user_id').notNull(),
    parentSessionId: text('parent_session_id').notNull(),
    /** SHA-256 of the flow cookie that the browser holds on that host. */
    flowHash: text('flow_hash').notNull(),
    returnPath: text('return_path').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    index('host_tickets_parent').on(table.parentSessionId),
    index('host_tickets_expires').on(table.expiresAtMs),
  ],
);
