import { redisReason } from './errors.ts';
import { type ServerInfo, serverFault } from './info.ts';

/** What is known of a connection while it is made, and of the server at its other end. */
export interface ServerCheck {
  /** What the server said of itself when it was last accepted. */
  readonly server: ServerInfo;
  /** Why it is down, or was refused; `undefined` since it was last accepted. */
  readonly fault: string | undefined;
  /** Takes what the client emits as an error. */
  readonly failed: (error: unknown) => void;
  /** Whether the server will do. */
  readonly accept: (server: ServerInfo) => boolean;
}

/**
 * The client goes on with database 0 when the one that was asked for is refused, and only mentions it as an error before
 * it asks what the server is: such a server is refused.
 */
export function serverCheck(): ServerCheck {
  let server: ServerInfo = { version: '', runId: '', replicationId: '', role: '', evictionPolicy: '' };
  let fault: string | undefined;
  let hasDatabase = true;
  return {
    get server() {
      return server;
    },
    get fault() {
      return fault;
    },
    failed(error) {
      fault = redisReason(error);
      if (isRefusedSelect(error)) hasDatabase = false;
    },
    accept(found) {
      const isRefused = !hasDatabase;
      hasDatabase = true;
      if (isRefused) return false;
      fault = serverFault(found);
      if (fault === undefined) server = found;
      return fault === undefined;
    },
  };
}

/** What the client adds to an error of a command. */
function isRefusedSelect(error: unknown): boolean {
  const { command } = error as { command?: { name?: unknown } };
  return error instanceof Error && command?.name === 'select';
}
