import { isNotNull } from 'drizzle-orm';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const auditEvents = sqliteTable(
  'audit_events',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    atMs: integer('at_ms').notNull(),
    action: text('action').notNull(),
    outcome: text('outcome', { enum: ['success', 'refused'] }).notNull(),
    actorUserId: text('actor_user_id'),
    subjectUserId: text('subject_user_id'),
    sessionId: text('session_id'),
    address: text('address'),
    userAgent: text('user_agent'),
    detail: text('detail', { mode: 'json' }).$type<Record<string, string | number | boolean>>(),
  },
  (table) => [
    index('audit_events_at').on(table.atMs),
    index('audit_events_actor').on(table.actorUserId, table.id),
    // Few rows are about another person.
    index('audit_events_subject').on(table.subjectUserId, table.id).where(isNotNull(table.subjectUserId)),
  ],
);
