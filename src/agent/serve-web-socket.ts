import type { Clock, Timer } from '../lib/clock.ts';
import type { HeaderList } from '../tunnel/header-list.ts';
import { encodeAnswerHead, type HttpRequestHead, type RefusalCode } from '../tunnel/heads.ts';
import type { StreamReader, TunnelStream } from '../tunnel/model.ts';
import {
  decodeClose,
  encodeClose,
  encodeMessage,
  MessageKind,
  type MessageReader,
  messageReader,
  type SocketMessage,
} from '../tunnel/socket-messages.ts';
import { tlsOptions } from './local-socket.ts';
import type { HttpTarget } from './model.ts';
import { refuse } from './refuse.ts';
import { statusIn } from './web-socket-status.ts';

export interface ServeWebSocketDeps {
  stream: TunnelStream;
  head: HttpRequestHead;
  target: HttpTarget;
  connectTimeoutMs: number;
  messageBytes: number;
  clock: Clock;
  onRefused: (code: RefusalCode, error?: unknown) => void;
  onClosed: () => void;
}

/** Above this in the socket to the service, in bytes, the visitor waits. */
const FULL_BYTES = 262_144;
/** How soon it is looked whether it has room again: twice as late each time, as a service may stall for hours. */
const LOOK_AGAIN_MS = 1;
const LOOK_AT_LEAST_EVERY_MS = 128;
/** How long a service may take to agree that a socket is closed. */
const CLOSING_MS = 2_000;
/** What the runtime writes itself. */
const OWN_HEADERS = /^(?:host|content-length|expect|sec-websocket-.*)$/;

/** RFC 6455 section 7.4.1: codes that are never sent. */
const NO_CODE = 1005;
const ABNORMAL = 1006;
const TOO_BIG = 1009;
const MAX_REASON_BYTES = 123;

/** Connects a stream with a WebSocket of a service. Returns what takes the visitor's messages. */
export function serveWebSocket(deps: ServeWebSocketDeps): StreamReader {
  return new WebSocketServing(deps).visitor;
}

class WebSocketServing {
  /** What takes what the visitor sends. */
  readonly visitor: StreamReader;
  readonly #deps: ServeWebSocketDeps;
  readonly #socket: WebSocket;
  /** Messages from before the service had agreed. */
  #early: SocketMessage[] = [];
  #isOpen = false;
  #isOver = false;
  #owed = 0;
  #isLooking = false;
  readonly #connecting: Timer;
  readonly #messages: MessageReader;

  constructor(deps: ServeWebSocketDeps) {
    this.#deps = deps;
    this.#socket = openSocket(deps.head, deps.target);
    this.#connecting = deps.clock.setTimer(deps.connectTimeoutMs, () => this.#refuse('service_timeout'));
    this.#messages = messageReader(deps.messageBytes, (message) => this.#fromVisitor(message));
    this.visitor = this.#reader();
    this.#listen();
  }

  #reader(): StreamReader {
    return {
      data: (chunk) => {
        this.#took(chunk.length);
        if (!this.#isOver && !this.#messages.push(chunk)) this.#cut();
        this.#count();
      },
      end: () => this.#leave(NO_CODE, ''),
      reset: () => this.#close(),
    };
  }

  /** A message that is not whole yet takes up room here, not in the window. */
  #took(bytes: number): void {
    if (this.#isOver) return this.#deps.stream.consumed(bytes);
    if (!this.#isOpen) this.#owed += bytes;
    else if (this.#socket.bufferedAmount < FULL_BYTES) this.#deps.stream.consumed(bytes);
    else this.#owe(bytes);
  }

  /** What the visitor has been given credit for, and what is here all the same. */
  #count(): void {
    if (this.#isOver) return;
    const unsent = this.#socket.bufferedAmount;
    const isFull = this.#isOpen && unsent >= FULL_BYTES;
    this.#deps.stream.keeps(this.#messages.heldBytes + (isFull ? unsent : 0));
    if (isFull && !this.#isLooking) this.#look();
  }

  #listen(): void {
    let complaint = '';
    this.#socket.addEventListener('open', () => this.#opened());
    this.#socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') this.#fromService(MessageKind.text, data, Buffer.byteLength(data));
      else this.#fromService(MessageKind.binary, new Uint8Array(data), data.byteLength);
    });
    this.#socket.addEventListener('error', (event) => {
      complaint = 'message' in event && typeof event.message === 'string' ? event.message : '';
    });
    this.#socket.addEventListener('close', ({ code, reason }) => this.#closed(code, reason, complaint));
  }

  #opened(): void {
    this.#connecting[Symbol.dispose]();
    if (this.#isOver) return this.#socket.terminate();
    this.#isOpen = true;
    const { protocol } = this.#socket;
    this.#write(
      encodeAnswerHead({
        status: 101,
        headers: protocol === '' ? [] : [['sec-websocket-protocol', protocol]],
      }),
    );
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#fromVisitor(message);
    this.#pay();
  }

  #fromService(kind: MessageKind, payload: Uint8Array | string, bytes: number): void {
    if (bytes <= this.#deps.messageBytes) return this.#write(encodeMessage(kind, payload));
    this.#write(encodeClose(TOO_BIG, 'the service sent too long a message'));
    this.#deps.stream.finish();
    this.#close();
  }

  #fromVisitor(message: SocketMessage): void {
    if (this.#isOver) return;
    if (!this.#isOpen) {
      this.#early.push(message);
      return;
    }
    // It has begun to close: whoever still talks is not heard.
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const { kind, payload } = message;
    switch (kind) {
      case MessageKind.text:
        return this.#socket.send(
          Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'),
        );
      case MessageKind.binary:
        return this.#socket.send(payload);
      case MessageKind.ping:
        return this.#socket.ping(payload);
      case MessageKind.pong:
        return this.#socket.pong(payload);
      case MessageKind.close: {
        const { code, reason } = decodeClose(payload);
        return this.#leave(code, reason);
      }
    }
  }

  /** The visitor has closed: the service hears of it, and may still agree. */
  #leave(code: number, reason: string): void {
    if (this.#isOver) return;
    if (!this.#isOpen) return this.#close();
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    // Only these may be sent by a program; a browser that leaves says 1001, which means no more than 1000 here.
    this.#socket.close(code === 1000 || (code >= 3_000 && code <= 4_999) ? code : 1000, fitting(reason));
    this.#deps.clock.setTimer(CLOSING_MS, () => this.#socket.terminate());
  }

  #closed(code: number, reason: string, complaint: string): void {
    this.#connecting[Symbol.dispose]();
    if (this.#isOver) return;
    if (!this.#isOpen) return this.#notOpened(statusIn(complaint), complaint);
    if (code === ABNORMAL) return this.#cut();
    this.#write(code === NO_CODE ? encodeMessage(MessageKind.close, '') : encodeClose(code, reason));
    this.#deps.stream.finish();
    this.#close();
  }

  /** A service that answers an ordinary status has been reached, and said no. */
  #notOpened(status: number | undefined, complaint: string): void {
    if (status === undefined || status < 200 || status > 599)
      return this.#refuse('service_unreachable', complaint);
    this.#write(encodeAnswerHead({ status, headers: [] }));
    this.#deps.stream.finish();
    this.#close();
  }

  #refuse(code: RefusalCode, error?: unknown): void {
    if (this.#isOver) return;
    this.#deps.onRefused(code, error);
    this.#close();
    refuse(this.#deps.stream, code);
  }

  #cut(): void {
    this.#close();
    this.#deps.stream.reset();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#early = [];
    this.#connecting[Symbol.dispose]();
    this.#socket.terminate();
    this.#pay();
    this.#deps.onClosed();
  }

  #write(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const room = this.#deps.stream.write(bytes);
    if (room === undefined) return;
    this.#socket.pause();
    room.then(
      () => this.#socket.resume(),
      () => undefined,
    );
  }

  /** The runtime does not tell when a client's socket has room again. */
  #owe(bytes: number): void {
    this.#owed += bytes;
    if (!this.#isLooking) this.#look();
  }

  #look(afterMs = LOOK_AGAIN_MS): void {
    this.#isLooking = !this.#isOver && this.#socket.bufferedAmount >= FULL_BYTES / 2;
    if (!this.#isLooking) return this.#settle();
    const later = Math.min(2 * afterMs, LOOK_AT_LEAST_EVERY_MS);
    this.#deps.clock.setTimer(afterMs, () => this.#look(later));
  }

  #settle(): void {
    this.#pay();
    this.#count();
  }

  #pay(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#deps.stream.consumed(owed);
  }
}

/** A reason that came as something else than UTF-8 may have grown beyond what a close holds (RFC 6455 section 5.5.1). */
const fitting = (reason: string) => (Buffer.byteLength(reason) <= MAX_REASON_BYTES ? reason : '');

function openSocket(head: HttpRequestHead, { hostname, port, host, tls }: HttpTarget): WebSocket {
  const authority = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
  const protocols = protocolsOf(head.headers);
  const socket = new WebSocket(`${tls === undefined ? 'ws' : 'wss'}://${authority}${head.target}`, {
    headers: headersOf(head, host),
    perMessageDeflate: false,
    ...(protocols.length > 0 && { protocols }),
    ...(tls && { tls: tlsOptions(tls) }),
  });
  socket.binaryType = 'arraybuffer';
  return socket;
}

function headersOf(head: HttpRequestHead, host: string | undefined): [string, string][] {
  const passed = head.headers
    .filter(([name]) => !OWN_HEADERS.test(name))
    .map(([name, value]): [string, string] => [name, value]);
  return [['host', host ?? head.host], ...passed];
}

function protocolsOf(headers: HeaderList): string[] {
  return headers
    .filter(([name]) => name === 'sec-websocket-protocol')
    .flatMap(([, value]) => value.split(',').flatMap((each) => each.trim() || []));
}
