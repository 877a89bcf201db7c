import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { users } from './users.ts';

/**
 * What MCP servers told of themselves when they last started, for each person apart: it may hold what is meant for one alone.
 */
export const mcpAbouts = sqliteTable(
  'mcp_abouts',
  {
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    backend: text('backend').notNull(),
    /** Of how it is started: what a server of another command said is not taken for what this one says. */
    fingerprint: text('fingerprint').notNull(),
    about: text('about', { mode: 'json' }).$type<Readonly<Record<string, unknown>>>().notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.backend] })],
);
