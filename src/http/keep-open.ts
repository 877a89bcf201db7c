import type { NativeConnection } from './native.ts';

/** Where a dispatched request came in, and whether its answer asked to be let open for ever. */
interface OpenConnection {
  readonly connection: NativeConnection;
  keptOpen: boolean;
}

const connections = new WeakMap<Request, OpenConnection>();

/** Recorded by the server before a request is dispatched. */
export function setConnection(request: Request, connection: NativeConnection): void {
  connections.set(request, { connection, keptOpen: false });
}

/** Lifts the idle timeout for an answer that stays open and may be silent, such as an event stream. */
export function keepOpen(request: Request): void {
  const open = connections.get(request);
  if (open === undefined) return;
  open.keptOpen = true;
  open.connection.timeout(request, 0);
}

export function isKeptOpen(request: Request): boolean {
  return connections.get(request)?.keptOpen ?? false;
}
