import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { users } from './users.ts';

export const sessions = sqliteTable(
  'sessions',
  {
    /** What look-ups join by: a quarter of the pages that text ids would take. Nobody outside sees it. */
    rowKey: integer('row_key').primaryKey(),
    id: text('id').notNull().unique(),
    kind: text('kind', { enum: ['user', 'grant', 'device'] }).notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    userKey: integer('user_key').notNull(),
    /** No foreign key, here or wherever a browser session is named: it may be in Redis. */
    parentId: text('parent_id'),
    audience: text('audience', { mode: 'json' }).$type<string[]>().notNull(),
    status: text('status', { enum: ['active', 'revoked'] }).notNull(),
    revokedAtMs: integer('revoked_at_ms'),
    revokeReason: text('revoke_reason'),
    createdAtMs: integer('created_at_ms').notNull(),
    lastSeenAtMs: integer('last_seen_at_ms').notNull(),
    idleTimeoutMs: integer('idle_timeout_ms'),
    expiresAtMs: integer('expires_at_ms'),
    /**
     * When the reaper looks at the row. A use moves the session's end but not this: an index that moved with every use
     * would cost more to write than the use itself.
     */
    reapAtMs: integer('reap_at_ms'),
    provider: text('provider'),
    providerSid: text('provider_sid'),
    address: text('address'),
    userAgent: text('user_agent'),
    label: text('label'),
    clientId: text('client_id'),
    scope: text('scope'),
    deviceId: text('device_id'),
    /** The key that a device signs its requests with, base64url. */
    clientPublicKey: text('client_public_key'),
  },
  (table) => [
    index('sessions_user').on(table.userId),
    index('sessions_parent').on(table.parentId).where(sql`${table.parentId} is not null`),
    index('sessions_provider_sid')
      .on(table.provider, table.providerSid)
      .where(sql`${table.providerSid} is not null`),
    index('sessions_reap').on(table.reapAtMs),
  ],
);

export const credentials = sqliteTable(
  'credentials',
  {
    hash: text('hash').primaryKey(),
    sessionKey: integer('session_key')
      .notNull()
      .references(() => sessions.rowKey, { onDelete: 'cascade' }),
    use: text('use', { enum: ['cookie', 'access', 'refresh', 'device', 'personal'] }).notNull(),
    expiresAtMs: integer('expires_at_ms'),
    supersededAtMs: integer('superseded_at_ms'),
  },
  (table) => [
    index('credentials_session').on(table.sessionKey),
    index('credentials_expires').on(table.expiresAtMs).where(sql`${table.expiresAtMs} is not null`),
  ],
);

/**
 * Snapshots committed with the act they tell of. Once they have been published they are deleted; where several processes share
 * them, they stay for a minute, so that each can look whether it has heard of them.
 */
export const sessionOutbox = sqliteTable(
  'session_outbox',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    snapshot: text('snapshot', { mode: 'json' }).$type<unknown>().notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    publishedAtMs: integer('published_at_ms'),
  },
  (table) => [
    index('session_outbox_waiting').on(table.id).where(sql`${table.publishedAtMs} is null`),
    index('session_outbox_published').on(table.publishedAtMs).where(sql`${table.publishedAtMs} is not null`),
  ],
);

/**
 * Sessions in Redis that ended together, by what they have in common (a guest link, a session at a provider): a list in Redis
 * need not name all of them.
 */
export const endedSessionGroups = sqliteTable(
  'ended_session_groups',
  {
    name: text('name').primaryKey(),
    /** What began until then is meant. */
    atMs: integer('at_ms').notNull(),
    /** When none of them can be left. */
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('ended_session_groups_expires').on(table.expiresAtMs)],
);
