import type { Db } from '../../src/db/open.ts';
import type { SessionId } from '../../src/sessions/model.ts';

/** Adds `count` copies of a session to the database, each with a credential; `changes` are values of columns. */
export function copySession(
  { reader: { $client: client } }: Db,
  id: SessionId,
  count: number,
  changes: Readonly<Record<string, string | number | null>> = {},
): void {
  const columns = client
    .query<{ name: string }, []>('PRAGMA table_info(sessions)')
    .all()
    .map(({ name }) => name)
    .filter((name) => name !== 'id' && name !== 'row_key');
  const given = columns.filter((name) => name in changes);
  const values = columns.map((name) => (name in changes ? '?' : name));
  client
    .query(`
      WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ${count})
      INSERT INTO sessions (id, ${columns.join()})
      SELECT id || '_' || n, ${values.join()} FROM sessions, copy WHERE id = ?`)
    .run(...given.map((name) => changes[name] ?? null), id);
  client
    .query(`
      INSERT INTO credentials (hash, session_key, use)
      SELECT 'hash of ' || id, row_key, 'cookie' FROM sessions WHERE id LIKE ?`)
    .run(`${id}_%`);
}
