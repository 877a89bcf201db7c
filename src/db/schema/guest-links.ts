import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { devices } from './devices.ts';

/** Links that let somebody without an account reach one service of one device. One that was ended is gone. */
export const guestLinks = sqliteTable(
  'guest_links',
  {
    id: text('id').primaryKey(),
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    service: text('service').notNull(),
    label: text('label').notNull(),
    secretHash: text('secret_hash').notNull().unique(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    /** How often it was used to begin a session, and how often it may be. */
    uses: integer('uses').notNull(),
    maxUses: integer('max_uses').notNull(),
    lastUsedAtMs: integer('last_used_at_ms'),
  },
  (table) => [
    index('guest_links_device').on(table.deviceId),
    index('guest_links_expires').on(table.expiresAtMs),
  ],
);
