import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { devices } from './devices.ts';
import { sessions } from './sessions.ts';

/** Small messages that wait for a device. One that was settled stays a while, so that its sender can see what became of it. */
export const deliveries = sqliteTable(
  'deliveries',
  {
    /** Rises with every delivery: the order in which a device gets them. */
    sequence: integer('sequence').primaryKey({ autoIncrement: true }),
    id: text('id').notNull().unique(),
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    /** JSON, as it was sent. */
    body: text('body').notNull(),
    status: text('status', { enum: ['queued', 'received', 'cancelled'] }).notNull(),
    createdBy: text('created_by').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    /** When the device first got it. */
    handedOutAtMs: integer('handed_out_at_ms'),
    settledAtMs: integer('settled_at_ms'),
    /** What the device said of it. */
    outcome: text('outcome', { enum: ['done', 'failed'] }),
    note: text('note'),
    reapAtMs: integer('reap_at_ms').notNull(),
  },
  (table) => [
    index('deliveries_device').on(table.deviceId, table.sequence),
    index('deliveries_queued').on(table.deviceId, table.sequence).where(sql`${table.status} = 'queued'`),
    index('deliveries_reap').on(table.reapAtMs),
  ],
);

/**
 * Until when signatures of a device may have been used by an earlier life of the appliance, whose memory of them is gone. Only
 * devices whose clock runs ahead have a row.
 */
export const signatureMarks = sqliteTable(
  'signature_marks',
  {
    sessionId: text('session_id')
      .primaryKey()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    untilMs: integer('until_ms').notNull(),
  },
  (table) => [index('signature_marks_until').on(table.untilMs)],
);
