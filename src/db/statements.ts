import type { Database, Statement } from 'bun:sqlite';

/**
 * SQLite only cleans up behind a connection (the write-ahead log goes into the file and away) when none of its statements is
 * left, and drizzle lets its statements go without a word.
 */
export interface TrackedStatements {
  /** Ends every statement of the connection; none can run afterwards. */
  finalize(): void;
}

/** Remembers every statement that this connection prepares, for as long as somebody holds it. */
export function trackStatements(client: Database): TrackedStatements {
  const open = new Set<WeakRef<Statement>>();
  const forgotten = new FinalizationRegistry<WeakRef<Statement>>((ref) => open.delete(ref));
  const prepare = client.prepare.bind(client);
  client.prepare = ((...call: Parameters<typeof prepare>) => {
    const statement = prepare(...call);
    const ref = new WeakRef<Statement>(statement);
    open.add(ref);
    forgotten.register(statement, ref);
    return statement;
  }) as typeof client.prepare;
  return {
    finalize() {
      for (const ref of open) ref.deref()?.finalize();
      open.clear();
    },
  };
}
