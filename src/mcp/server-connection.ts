import type { ConnectionParts, ManagedConnection } from './connection.ts';
import type { Exchange, ExitCause, LogLevel, ServerAbout } from './exchange.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';
import type { JsonRpcPeer } from './peer.ts';
import type { Wire, WireProcess } from './wire.ts';

/** What the connections of both eras have in common: what they are made of, and how they end. */
export abstract class ServerConnection implements ManagedConnection {
  abstract readonly era: ManagedConnection['era'];
  readonly about: ServerAbout;
  readonly generation: number;
  readonly process: WireProcess | undefined;
  readonly exited: Promise<ExitCause>;
  protected readonly peer: JsonRpcPeer;
  readonly #wire: Wire;

  constructor(
    { about, generation, process, exited }: Omit<ConnectionParts, 'era'>,
    peer: JsonRpcPeer,
    wire: Wire,
  ) {
    this.about = about;
    this.generation = generation;
    this.process = process;
    this.exited = exited;
    this.peer = peer;
    this.#wire = wire;
  }

  /** Calls end at once, and do not wait for the server to go. */
  end(): Promise<void> {
    this.peer.close();
    return this.#wire.end();
  }

  abstract call(exchange: Exchange): Promise<JsonObject>;
  abstract notify(method: string, params?: JsonObject): void;
  abstract setLogLevel(level: LogLevel | undefined): Promise<void>;
  abstract subscribe(uri: string): Promise<void>;
  abstract unsubscribe(uri: string): Promise<void>;
}

/** What a server says of itself, whichever era asked; what has another shape counts as not said. */
export function serverAbout(
  protocolVersion: string,
  said: { readonly [Part in 'serverInfo' | 'capabilities' | 'instructions']?: unknown },
): ServerAbout {
  const { serverInfo, capabilities, instructions } = said;
  return {
    protocolVersion,
    serverInfo: isJsonObject(serverInfo) ? serverInfo : {},
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}
