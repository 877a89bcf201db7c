import type { ExitCause } from './exchange.ts';
import type { JsonObject } from './json-rpc.ts';

/**
 * Takes one message that arrived, parsed. `about` is the id of our request on whose answer it came, where the transport
 * tells: HTTP does, stdio does not.
 */
export type WireReader = (message: unknown, about?: number) => void;

/** What JSON-RPC travels over: the pipes of a child, or HTTP to a remote server. */
export interface Wire {
  /** Hands over what arrives from now on; called once. */
  open(read: WireReader): void;
  /** Never throws: what cannot be sent ends the wire, or is answered with an error of ours. */
  send(message: JsonObject): void;
  /**
   * Closes the answer to one request, where each has its own (HTTP). `false`: the other side has to be told by
   * `notifications/cancelled`.
   */
  abandon(id: number): boolean;
  /** From now on messages say this revision where the transport has to (HTTP). */
  speak(protocolVersion: string): void;
  readonly exited: Promise<ExitCause>;
  end(): Promise<void>;
  /** The process, where there is one here. */
  readonly process: WireProcess | undefined;
}

/** The child behind a wire. */
export interface WireProcess {
  readonly pid: number;
  /** Resident memory of it and its descendants, in bytes; `undefined` where the system does not tell. */
  memoryBytes(): number | undefined;
}
