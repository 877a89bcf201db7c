import type { SocketHandler } from './web-socket.ts';

/** The other end of a connection. One object per address, so that asking again costs a look-up. */
export interface Peer {
  readonly address: string;
  /** Whether its forwarded headers count (`trusted_proxies`). */
  readonly trusted: boolean;
}

/** Where a request came in, for an answer that takes its time or becomes something else. */
export interface NativeConnection {
  /** How long the connection of a request may be silent, in seconds; 0 for ever. */
  timeout(request: Request, seconds: number): void;
  /** Whether the request is a WebSocket now; `acceptSocket` asks. */
  upgrade(
    request: Request,
    options: { data: SocketHandler; headers?: Readonly<Record<string, string>> },
  ): boolean;
}

/**
 * A handler that Bun's router calls directly, for paths where every microsecond counts.
 * It answers whole: the server adds no header to what it returns, and turns what it throws into an answer.
 */
export type NativeHandler = (
  request: Request,
  peer: Peer,
  connection: NativeConnection,
) => Response | Promise<Response>;

/** Path → handler, for every method. A pattern (`/callback/:name`) is a path of Bun's router. */
export type NativeRoutes = Readonly<Record<string, NativeHandler>>;
