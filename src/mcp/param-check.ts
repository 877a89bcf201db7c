import type { BackendConnection } from './exchange.ts';
import type { JsonObject } from './json-rpc.ts';
import { type ParamHeaders, paramHeaders } from './param-headers.ts';

/**
 * Holds the `Mcp-Param-*` headers of clients against the body (2026-07-28, transports, "Server validation"), as far as the
 * connection has said which there are: a client knows them from the same list of tools.
 */
export function paramCheck() {
  const known = new WeakMap<BackendConnection, ParamHeaders>();

  return {
    /** Looks at a result that passes by. */
    learn(connection: BackendConnection, method: string, result: JsonObject): void {
      if (method !== 'tools/list') return;
      const declared = known.get(connection) ?? paramHeaders();
      known.set(connection, declared);
      declared.learn({ result });
    },
    /** @throws JsonRpcError `HEADER_MISMATCH`. */
    check(
      connection: BackendConnection,
      { method, params }: { method: string; params: JsonObject | undefined },
      headers: Headers,
    ): void {
      if (method === 'tools/call' && params !== undefined) known.get(connection)?.check(params, headers);
    },
  };
}
