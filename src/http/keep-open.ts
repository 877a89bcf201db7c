/** How long the server waits for a sign of life on one connection, and whether an answer asked it to wait for ever. */
interface OpenConnection {
  readonly setIdleTimeout: (seconds: number) => void;
  keptOpen: boolean;
}

const connections = new WeakMap<Request, OpenConnection>();

/** Recorded by the server before a request is dispatched. */
export function setConnection(request: Request, setIdleTimeout: (seconds: number) => void): void {
  connections.set(request, { setIdleTimeout, keptOpen: false });
}

/** Lifts the idle timeout for an answer that stays open and may be silent, such as an event stream. */
export function keepOpen(request: Request): void {
  const connection = connections.get(request);
  if (connection === undefined) return;
  connection.keptOpen = true;
  connection.setIdleTimeout(0);
}

export function isKeptOpen(request: Request): boolean {
  return connections.get(request)?.keptOpen ?? false;
}
