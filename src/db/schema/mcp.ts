import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { sessions } from './sessions.ts';

/** Protocol sessions of legacy MCP clients (`Mcp-Session-Id`), with what has to be told to a child again. */
export const mcpProtocolSessions = sqliteTable(
  'mcp_protocol_sessions',
  {
    id: text('id').primaryKey(),
    sessionId: text('session_id')
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    backend: text('backend').notNull(),
    protocolVersion: text('protocol_version').notNull(),
    clientInfo: text('client_info', { mode: 'json' }).$type<Readonly<Record<string, unknown>>>(),
    capabilities: text('capabilities', { mode: 'json' }).$type<Readonly<Record<string, unknown>>>().notNull(),
    logLevel: text('log_level'),
    subscriptions: text('subscriptions', { mode: 'json' }).$type<readonly string[]>().notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    lastUsedAtMs: integer('last_used_at_ms').notNull(),
  },
  (table) => [
    index('mcp_protocol_sessions_session').on(table.sessionId),
    index('mcp_protocol_sessions_last_used').on(table.lastUsedAtMs),
  ],
);
