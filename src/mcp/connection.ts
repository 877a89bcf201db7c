import type { BackendConnection, Era, ExitCause, LogLevel, ServerAbout } from './exchange.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';
import type { WireProcess } from './wire.ts';

/** What a connection does with messages that belong to no call of ours. */
export interface ConnectionHooks {
  /** `true`: a stream carried it to somebody. */
  unsolicited: (method: string, params: JsonObject | undefined) => boolean;
  /** @throws JsonRpcError when nobody can be asked. */
  askAnybody: (method: string, params: JsonObject | undefined) => Promise<JsonObject>;
}

/** A connection as the broker holds it: beside calls, what several views want of it together. */
export interface ManagedConnection extends BackendConnection {
  /** The process, where there is one here. */
  readonly process: WireProcess | undefined;
  /** The most verbose level that a view wants; never rejects, and does nothing where the server has no log. */
  setLogLevel(level: LogLevel | undefined): Promise<void>;
  /** @throws JsonRpcError the server's. */
  subscribe(uri: string): Promise<void>;
  /** Never rejects. */
  unsubscribe(uri: string): Promise<void>;
}

/** What all connections are made of. */
export interface ConnectionParts {
  readonly era: Era;
  readonly about: ServerAbout;
  readonly generation: number;
  readonly process: WireProcess | undefined;
  readonly exited: Promise<ExitCause>;
}

/** Whether a server has this capability, by its name or by two (`resources.subscribe`). */
export function can({ capabilities }: ServerAbout, name: string, detail?: string): boolean {
  const capability = capabilities[name];
  if (!isJsonObject(capability)) return false;
  return detail === undefined || capability[detail] === true;
}

/** Notifications that tell of the server as a whole, never of one request. */
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/tasks/status',
]);

export const tellsOfServer = (method: string): boolean => OF_THE_SERVER.has(method);
