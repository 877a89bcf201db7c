import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { sessions } from './sessions.ts';
import { users } from './users.ts';

/** Paired devices. An unpaired one stays as long as the row of its session, so that it can still be told apart. */
export const devices = sqliteTable(
  'devices',
  {
    id: text('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    sessionId: text('session_id')
      .notNull()
      .unique()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    /** A DNS label: it stands in host names. */
    handle: text('handle').notNull(),
    name: text('name').notNull(),
    serial: text('serial'),
    platform: text('platform'),
    chip: text('chip'),
    labels: text('labels', { mode: 'json' }).$type<Record<string, string>>().notNull(),
    /** Ed25519, base64url of its 32 bytes. */
    publicKey: text('public_key').notNull(),
    pairedAtMs: integer('paired_at_ms').notNull(),
    /** What the device last said of itself, and when. */
    reportedAtMs: integer('reported_at_ms'),
    reportedVersion: text('reported_version'),
    reportedState: text('reported_state', { mode: 'json' }).$type<
      Record<string, string | number | boolean>
    >(),
    unpairedAtMs: integer('unpaired_at_ms'),
    unpairReason: text('unpair_reason'),
  },
  (table) => {
    const isLive = sql`${table.unpairedAtMs} is null`;
    return [
      index('devices_user').on(table.userId),
      uniqueIndex('devices_live_handle').on(table.handle).where(isLive),
      uniqueIndex('devices_live_serial').on(table.serial).where(isLive),
      uniqueIndex('devices_live_key').on(table.publicKey).where(isLive),
      index('devices_handle').on(table.handle),
    ];
  },
);

/** Codes that devices pair with. A redeemed one stays a while, so that its device can ask for its answer again. */
export const pairings = sqliteTable(
  'pairings',
  {
    id: text('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** The browser session that made it; ending it voids a code that is not redeemed. None: the operator at the machine. */
    issuedBy: text('issued_by'),
    codeHash: text('code_hash').notNull().unique(),
    tokenHash: text('token_hash').notNull().unique(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    redeemedAtMs: integer('redeemed_at_ms'),
    deviceId: text('device_id').references(() => devices.id, { onDelete: 'cascade' }),
    /** Proofs that were taken and are not too old yet: each counts once. */
    proofs: text('proofs', { mode: 'json' })
      .$type<readonly (readonly [nonce: string, created: number])[]>()
      .notNull(),
  },
  (table) => [
    index('pairings_user').on(table.userId),
    index('pairings_issued_by').on(table.issuedBy).where(sql`${table.issuedBy} is not null`),
    index('pairings_device').on(table.deviceId).where(sql`${table.deviceId} is not null`),
    index('pairings_expires').on(table.expiresAtMs),
  ],
);
