import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** Children that run, so that a later life of the appliance finds and ends what a crash left behind. */
export const mcpSpawns = sqliteTable('mcp_spawns', {
  /** Stands in the environment of the child and of all that it starts. */
  marker: text('marker').primaryKey(),
  backend: text('backend').notNull(),
  /** The process group, which is the pid of its leader; absent until it has been started. */
  processGroup: integer('process_group'),
  /** Clock ticks from the boot to the leader's start: a pid alone is given to others again. */
  startTicks: text('start_ticks'),
  bootId: text('boot_id'),
  spawnedAtMs: integer('spawned_at_ms').notNull(),
});
