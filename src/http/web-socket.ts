import { AppError } from '../lib/app-error.ts';
import type { Logger } from '../lib/log.ts';
import type { NativeConnection } from './native.ts';

/** Our end of one WebSocket. */
export type ServerSocket = Pick<
  Bun.ServerWebSocket<unknown>,
  | 'sendBinary'
  | 'sendText'
  | 'close'
  | 'terminate'
  | 'ping'
  | 'pause'
  | 'resume'
  | 'cork'
  | 'getBufferedAmount'
  | 'readyState'
>;

/**
 * What one WebSocket leads to. Calls come in the order in which things happen; `closed` is the last, and comes exactly
 * once for a socket that was opened.
 * `send…` answers −1 when the message was taken and `drained` will follow, and 0 when it was not taken.
 */
export interface SocketHandler {
  /** Longer messages close the socket with 1009, in bytes. Absent: what the server takes at most. */
  readonly maxMessageBytes?: number;
  opened(socket: ServerSocket): void;
  message(message: string | Uint8Array): void;
  drained?(): void;
  closed(code: number, reason: string): void;
}

export interface SocketLimits {
  /** The longest message that any handler takes, in bytes; the runtime holds that much of an unfinished one. */
  maxMessageBytes: number;
  /** What may wait to be sent on one socket, in bytes; one that ignores `drained` is closed there. */
  maxBufferedBytes: number;
}

export interface AcceptOptions {
  /** The subprotocol that is agreed on; it must be one that the client offered (RFC 6455 section 4.2.2). */
  protocol?: string;
  headers?: Readonly<Record<string, string>>;
}

/** The runtime pings a peer that is silent for this long, and lets go of one that does not answer, in seconds. */
const SILENCE_SECONDS = 120;

/** RFC 6455 section 7.4.1. */
const TOO_BIG = 1009;
const INTERNAL_ERROR = 1011;

/** 16 bytes in base64 (RFC 6455 section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Whether a request asks to become a WebSocket, well or badly. */
export function isUpgrade({ headers }: Request): boolean {
  return headers.get('upgrade')?.toLowerCase() === 'websocket';
}

/** The subprotocols that a client offers, in its order (RFC 6455 section 11.3.4). */
export function offeredProtocols({ headers }: Request): string[] {
  const offered = headers.get('sec-websocket-protocol') ?? '';
  return offered.split(',').flatMap((name) => name.trim() || []);
}

/**
 * Refuses an opening handshake that is not one (RFC 6455 section 4.2.1).
 * @throws AppError `bad_request` (`web_socket_required`, `malformed_handshake`).
 */
export function requireHandshake(request: Request): void {
  const { method, headers } = request;
  if (method !== 'GET' || !isUpgrade(request)) {
    throw new AppError('bad_request', 'web_socket_required', 'This address takes WebSockets only.');
  }
  const isWhole =
    listed(headers.get('connection')).includes('upgrade') &&
    headers.get('sec-websocket-version') === '13' &&
    KEY.test(headers.get('sec-websocket-key') ?? '');
  if (!isWhole) {
    throw new AppError('bad_request', 'malformed_handshake', 'The WebSocket handshake is malformed.');
  }
}

/**
 * Turns a request into a WebSocket. What it returns has to be returned as the answer: the runtime has sent 101 already and
 * drops it. May be called after awaiting.
 * @throws AppError `bad_request` (`web_socket_required`, `malformed_handshake`).
 */
export function acceptSocket(
  connection: Pick<NativeConnection, 'upgrade'>,
  request: Request,
  handler: SocketHandler,
  { protocol, headers }: AcceptOptions = {},
): Response {
  requireHandshake(request);
  const agreed = protocol === undefined ? undefined : { 'sec-websocket-protocol': protocol };
  if (!connection.upgrade(request, { data: handler, headers: { ...headers, ...agreed } })) {
    throw new AppError('bad_request', 'malformed_handshake', 'The WebSocket handshake is malformed.');
  }
  return new Response(null, { status: 101 });
}

/** The one set of callbacks that the runtime calls for every socket of a listener. Nothing is compressed. */
export function socketCallbacks(limits: SocketLimits, log: Logger): Bun.WebSocketHandler<SocketHandler> {
  return {
    perMessageDeflate: false,
    maxPayloadLength: limits.maxMessageBytes,
    backpressureLimit: limits.maxBufferedBytes,
    closeOnBackpressureLimit: true,
    idleTimeout: SILENCE_SECONDS,
    open: (socket) => socket.data.opened(socket),
    message(socket, message) {
      const { maxMessageBytes } = socket.data;
      if (maxMessageBytes !== undefined && lengthOf(message) > maxMessageBytes) {
        socket.close(TOO_BIG, 'too big');
      } else {
        socket.data.message(message);
      }
    },
    drain: (socket) => socket.data.drained?.(),
    close: (socket, code, reason) => socket.data.closed(code, reason),
    error(error, socket) {
      log.error('a WebSocket failed', { error, stack: error.stack });
      socket.close(INTERNAL_ERROR, 'internal error');
    },
  };
}

const listed = (header: string | null) =>
  (header ?? '')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim());

/** A text counts in UTF-8, of which it takes at least one byte for each unit. */
function lengthOf(message: string | Uint8Array): number {
  return typeof message === 'string' ? Buffer.byteLength(message) : message.length;
}
