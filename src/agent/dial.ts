import type { Clock, Timer } from '../lib/clock.ts';
import { CloseCode } from '../tunnel/constants.ts';
import type { FrameTransport, Mux, MuxEnd, MuxLimits, TunnelStream } from '../tunnel/model.ts';
import { openMux } from '../tunnel/mux.ts';
import { statusIn } from './web-socket-status.ts';

/** A tunnel that stands. */
export interface Tunnel {
  readonly mux: Mux;
  /** Resolves when it is over; never rejects. */
  readonly ended: Promise<MuxEnd>;
}

export interface DialOptions {
  url: string;
  /** The subprotocol, which the server has to agree to. */
  protocol?: string;
  /** The fields that prove who dials. */
  headers: Readonly<Record<string, string>>;
  /** Certificates that are believed besides the system's, PEM. */
  ca: string | undefined;
  clock: Clock;
  timeoutMs: number;
  limits: MuxLimits;
  /** Without it the other end opens none. */
  onStream?: (stream: TunnelStream) => void;
  /** Gives the dial up. */
  signal: AbortSignal;
}

/** The server did not take the WebSocket. */
export class DialError extends Error {
  override readonly name = 'DialError';
  /** What it answered instead; `undefined` when nothing came. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** More than this in the socket, in bytes, and the mux waits until less than half of it is left. */
const FULL_BYTES = 1_048_576;
/** The runtime does not tell when a client's socket has room again. */
const LOOK_AGAIN_MS = 1;
/** How long a server may take to agree that a socket is closed; on a dead line nobody does. */
const CLOSING_MS = 1_000;

/** Dials the tunnel. @throws DialError */
export function dialTunnel(options: DialOptions): Promise<Tunnel> {
  const { clock, timeoutMs, limits, onStream, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Tunnel>();
  const ended = Promise.withResolvers<MuxEnd>();
  const socket = openSocket(options);
  let mux: Mux | undefined;
  let complaint = '';

  const giveUp = (message: string) => {
    timer[Symbol.dispose]();
    signal.removeEventListener('abort', onAbort);
    reject(new DialError(message, statusIn(complaint)));
    if (mux === undefined) socket.terminate();
  };
  const onAbort = () => giveUp('called off');
  const timer = clock.setTimer(timeoutMs, () => giveUp('no answer in time'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  socket.addEventListener('open', () => {
    timer[Symbol.dispose]();
    signal.removeEventListener('abort', onAbort);
    const transport = socketTransport(socket, clock, () => mux?.drained());
    mux = openMux({
      role: 'client',
      transport,
      clock,
      limits,
      endsWithData: true,
      onEnd: ended.resolve,
      ...(onStream && { onStream }),
    });
    resolve({ mux, ended: ended.promise });
  });
  socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
    mux?.receive(typeof data === 'string' ? data : new Uint8Array(data));
  });
  socket.addEventListener('error', (event) => {
    complaint = 'message' in event && typeof event.message === 'string' ? event.message : '';
  });
  socket.addEventListener('close', ({ code, reason }) => {
    mux?.lost(code, reason);
    giveUp(complaint === '' ? 'the connection was closed' : complaint);
  });
  return promise;
}

function openSocket({ url, headers, ca, protocol }: DialOptions): WebSocket {
  const socket = new WebSocket(url, {
    headers,
    perMessageDeflate: false,
    ...(protocol !== undefined && { protocols: [protocol] }),
    ...(ca !== undefined && { tls: { ca } }),
  });
  socket.binaryType = 'arraybuffer';
  return socket;
}

function socketTransport(socket: WebSocket, clock: Clock, onRoom: () => void): FrameTransport {
  let looking: Timer | undefined;
  const look = () => {
    looking = undefined;
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount < FULL_BYTES / 2) onRoom();
    else looking = clock.setTimer(LOOK_AGAIN_MS, look);
  };
  return {
    send(frame) {
      socket.send(frame);
      if (socket.bufferedAmount < FULL_BYTES) return true;
      looking ??= clock.setTimer(LOOK_AGAIN_MS, look);
      return false;
    },
    close(code, reason) {
      looking?.[Symbol.dispose]();
      socket.close(code === CloseCode.normal || code >= 3_000 ? code : CloseCode.normal, reason);
      clock.setTimer(CLOSING_MS, () => socket.terminate());
    },
  };
}
