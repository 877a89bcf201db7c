import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { devices } from './devices.ts';
import { users } from './users.ts';

/** Devices that ask to be let in and show a code, until a person has answered and the device has fetched the answer. */
export const pairingRequests = sqliteTable(
  'pairing_requests',
  {
    /** SHA-256 of the device code. */
    deviceHash: text('device_hash').primaryKey(),
    /** HMAC of the code that the device shows. */
    userCodeHash: text('user_code_hash').notNull().unique(),
    /** Ed25519, base64url of its 32 bytes. */
    publicKey: text('public_key').notNull(),
    /** What the device says of itself. */
    about: text('about', { mode: 'json' }).$type<unknown>().notNull(),
    address: text('address'),
    status: text('status', { enum: ['pending', 'approved', 'denied', 'redeemed'] }).notNull(),
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    /** The browser session that approved; ending it voids what is not redeemed. */
    issuedBy: text('issued_by'),
    deviceId: text('device_id').references(() => devices.id, { onDelete: 'cascade' }),
    /** Proofs that were taken and are not too old yet: each counts once. */
    proofs: text('proofs', { mode: 'json' })
      .$type<readonly (readonly [nonce: string, created: number])[]>()
      .notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    /** Later than the end, so that a device which asks too late is told so. */
    reapAtMs: integer('reap_at_ms').notNull(),
  },
  (table) => [
    index('pairing_requests_key').on(table.publicKey),
    index('pairing_requests_user').on(table.userId),
    index('pairing_requests_issued_by').on(table.issuedBy),
    index('pairing_requests_device').on(table.deviceId),
    index('pairing_requests_reap').on(table.reapAtMs),
  ],
);
