import { type SQL, sql } from 'drizzle-orm';

/**
 * A placeholder for text that SQLite's planner cannot look at. It looks at plain ones in a join, and then compiles the statement
 * again for every new value, which takes four times as long as running it.
 */
export function opaqueText(name: string): SQL {
  return sql`cast(${sql.placeholder(name)} as text)`;
}
