import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** Single values of the appliance as a whole: the time mark, whether a user ever existed, the setup link, where browser sessions are, and events of them. */
export const applianceState = sqliteTable('appliance_state', {
  key: text('key', {
    enum: [
      'time_mark_ms',
      'first_user_at_ms',
      'setup_secret_hash',
      'setup_expires_at_ms',
      'browser_sessions_in_redis',
      'session_events_server',
      'browser_sessions_epoch',
    ],
  }).primaryKey(),
  text: text('text'),
  integer: integer('integer'),
});
