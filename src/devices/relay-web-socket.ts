import type { HeaderList } from '../tunnel/header-list.ts';
import { type AnswerHead, decodeAnswerHead } from '../tunnel/heads.ts';
import type { ResetReason, StreamReader } from '../tunnel/model.ts';
import { readHead } from '../tunnel/read-head.ts';
import {
  decodeClose,
  encodeClose,
  encodeMessage,
  MessageKind,
  type MessageReader,
  messageReader,
  type SocketMessage,
} from '../tunnel/socket-messages.ts';
import type { HubMetrics } from './metrics-hub.ts';
import type { CutReason, OpenStream } from './open-stream.ts';
import { endedEarly, malformedAnswer, type RelayFailure, refusedByAgent } from './relay-errors.ts';

/** Our end of a visitor's WebSocket. */
export interface VisitorSocket {
  /** −1: taken, and it will be told when there is room again. */
  sendText(text: string): number;
  sendBinary(bytes: Uint8Array<ArrayBuffer>): number;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
  /** What waits to be sent, in bytes. */
  getBufferedAmount(): number;
}

export interface SocketExchange {
  readonly open: OpenStream;
  /** The encoded head (`encodeRequestHead`). */
  readonly head: Uint8Array;
  readonly maxMessageBytes: number;
  readonly signal: AbortSignal;
  readonly metrics: Pick<HubMetrics, 'carried'>;
}

/** The service agreed to a WebSocket, or said something else. */
export type SocketAnswer =
  | { readonly agreed: true; readonly protocol: string | undefined; readonly relay: SocketRelay }
  | { readonly agreed: false; readonly status: number; readonly headers: HeaderList };

/** What a visitor's socket is closed with when the device, or one of us, ends it (RFC 6455 section 7.4.1). */
const GOING_AWAY = 1001;
const NO_CODE = 1005;
const ABNORMAL = 1006;
const FAILED = 1011;
const TRY_AGAIN = 1013;
/** As the close codes of tunnels have it. */
const SESSION_ENDED = 4401;

/** Asks a service for a WebSocket. @throws AppError when nothing answers. */
export function relayWebSocket(exchange: SocketExchange): Promise<SocketAnswer> {
  return new SocketRelay(exchange).start();
}

/** Messages between a visitor's WebSocket and one of a service, each side at the speed of the other. */
export class SocketRelay {
  readonly maxMessageBytes: number;
  readonly #exchange: SocketExchange;
  readonly #answer = Promise.withResolvers<SocketAnswer>();
  readonly #messages: MessageReader;
  #socket: VisitorSocket | undefined;
  /** What came of the device before the visitor's socket was open. */
  #early: Uint8Array[] = [];
  /** Credit that is returned once the visitor's socket has room again, in bytes. */
  #owed = 0;
  #isFull = false;
  /** The visitor's socket is closed, or is about to be. */
  #isClosed = false;
  /** What the visitor's socket is closed with as soon as it is open. */
  #ending: [code: number, reason: string] | undefined;
  /** It is known what came of asking. */
  #isAnswered = false;
  /** Whether the visitor, and the device, have said their last word. */
  #hasVisitorLeft = false;
  #hasDeviceLeft = false;

  constructor(exchange: SocketExchange) {
    this.#exchange = exchange;
    this.maxMessageBytes = exchange.maxMessageBytes;
    this.#messages = messageReader(exchange.maxMessageBytes, (message) => this.#fromDevice(message));
  }

  start(): Promise<SocketAnswer> {
    const { open, head, signal } = this.#exchange;
    void open.stream.write(head);
    readHead(open.stream, decodeAnswerHead, {
      head: (answer) => this.#head(answer),
      bad: () => this.#fail(malformedAnswer()),
      reset: (reason) => this.#fail(endedEarly(reason, open.cutReason)),
    });
    signal.addEventListener('abort', this.abandon, { once: true });
    return this.#answer.promise;
  }

  /** The visitor went away before the socket was open. */
  readonly abandon = (): void => {
    this.#exchange.open.stream.reset();
    this.#exchange.open.released();
  };

  // What the visitor's socket says.

  opened(socket: VisitorSocket): void {
    this.#socket = socket;
    this.#exchange.signal.removeEventListener('abort', this.abandon);
    const early = this.#early;
    this.#early = [];
    for (const chunk of early) this.#reader.data(chunk);
    if (this.#ending !== undefined) this.#end(...this.#ending);
  }

  message(message: string | Uint8Array): void {
    const kind = typeof message === 'string' ? MessageKind.text : MessageKind.binary;
    const room = this.#exchange.open.stream.write(encodeMessage(kind, message));
    if (room === undefined) return;
    this.#socket?.pause();
    void room.then(() => this.#socket?.resume());
  }

  drained(): void {
    this.#isFull = false;
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#exchange.open.stream.consumed(owed);
    this.#count();
  }

  /** What the device has been given credit for, and what is here all the same. */
  #count(): void {
    const unsent = this.#isFull && !this.#isClosed ? (this.#socket?.getBufferedAmount() ?? 0) : 0;
    this.#exchange.open.stream.keeps(this.#messages.heldBytes + unsent);
  }

  closed(code: number, reason: string): void {
    this.#isClosed = true;
    const { open } = this.#exchange;
    if (code === ABNORMAL) open.stream.reset();
    else {
      const close = code === NO_CODE ? encodeMessage(MessageKind.close, '') : encodeClose(code, reason);
      void open.stream.write(close);
      open.stream.finish();
    }
    this.drained();
    this.#hasVisitorLeft = true;
    this.#releaseOnceOver();
  }

  /** Until the device has agreed to a close, it is looked whether it ever does. */
  #releaseOnceOver(): void {
    if (this.#hasVisitorLeft && this.#hasDeviceLeft) this.#exchange.open.released();
  }

  // What the device says.

  #head(answer: AnswerHead): StreamReader {
    const { open, metrics } = this.#exchange;
    if ('refused' in answer) return this.#fail(refusedByAgent(answer.refused));
    this.#isAnswered = true;
    open.answered();
    metrics.carried('websocket', 'answered');
    const { status, headers } = answer;
    if (status === 101) {
      const protocol = headers.find(([name]) => name === 'sec-websocket-protocol')?.[1];
      this.#answer.resolve({ agreed: true, protocol, relay: this });
      return this.#reader;
    }
    this.#answer.resolve({ agreed: false, status, headers });
    this.abandon();
    return NOTHING;
  }

  readonly #reader: StreamReader = {
    data: (chunk) => {
      if (this.#socket === undefined) return void this.#early.push(chunk);
      if (!this.#messages.push(chunk)) {
        this.#end(FAILED, 'the device sent no messages');
        return this.#exchange.open.stream.reset();
      }
      if (this.#isFull) this.#owed += chunk.length;
      else this.#exchange.open.stream.consumed(chunk.length);
      this.#count();
    },
    end: () => this.#deviceLeft(FAILED, 'the service went away'),
    reset: (reason) => this.#deviceLeft(...closeFor(reason, this.#exchange.open.cutReason)),
  };

  #deviceLeft(code: number, reason: string): void {
    this.#hasDeviceLeft = true;
    this.#end(code, reason);
    this.#releaseOnceOver();
  }

  #fromDevice({ kind, payload }: SocketMessage): void {
    const socket = this.#socket;
    if (socket === undefined || this.#isClosed) return;
    if (kind === MessageKind.text) {
      this.#sent(socket.sendText(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString()));
    } else if (kind === MessageKind.binary) {
      this.#sent(socket.sendBinary(payload as Uint8Array<ArrayBuffer>));
    } else if (kind === MessageKind.close) {
      const { code, reason } = decodeClose(payload);
      this.#end(code, reason);
    }
  }

  #sent(status: number): void {
    if (status === -1) this.#isFull = true;
  }

  /** Closes the visitor's socket, which says so in `closed`; a second time changes nothing. */
  #end(code: number, reason: string): void {
    if (this.#isClosed) return;
    if (this.#socket === undefined) {
      this.#ending ??= [code, reason];
      return this.abandon();
    }
    this.#isClosed = true;
    this.#socket.close(isSendable(code) ? code : FAILED, reason);
  }

  #fail({ error, outcome }: RelayFailure): StreamReader {
    if (this.#isAnswered) return NOTHING;
    this.#isAnswered = true;
    this.#exchange.metrics.carried('websocket', outcome);
    this.#answer.reject(error);
    this.abandon();
    return NOTHING;
  }
}

const NOTHING: StreamReader = { data: () => undefined, end: () => undefined, reset: () => undefined };

/** Whether a close may carry the code, or, with 1005, none (RFC 6455 section 7.4). */
function isSendable(code: number): boolean {
  const isDefined = (code >= 1000 && code <= 1003) || code === NO_CODE || (code >= 1007 && code <= 1014);
  return isDefined || (code >= 3000 && code <= 4999);
}

function closeFor(reason: ResetReason, cut: CutReason | undefined): [code: number, reason: string] {
  if (cut === 'session_ended') return [SESSION_ENDED, 'the session has ended'];
  if (cut !== undefined) return [GOING_AWAY, 'ended by the server'];
  return reason === 'tunnel' ? [TRY_AGAIN, 'the device lost its connection'] : [FAILED, 'the service failed'];
}
