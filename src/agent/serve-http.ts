import type { Clock, Timer } from '../lib/clock.ts';
import { encodeAnswerHead, HeadError, type HttpRequestHead, type RefusalCode } from '../tunnel/heads.ts';
import type { StreamReader, TunnelStream } from '../tunnel/model.ts';
import { answerHeaders } from './answer-headers.ts';
import type { AnswerHead } from './http-answer-head.ts';
import { type HttpClient, TooManyConnections } from './http-client.ts';
import type { AnswerReader, ExchangeFailure, HttpConnection } from './http-connection.ts';
import { ConnectError } from './local-socket.ts';
import type { HttpTarget } from './model.ts';
import { refuse } from './refuse.ts';
import { type LocalRequest, localRequest } from './request-head.ts';

export interface ServeHttpDeps {
  stream: TunnelStream;
  head: HttpRequestHead;
  target: HttpTarget;
  client: HttpClient;
  headTimeoutMs: number;
  clock: Clock;
  onRefused: (code: RefusalCode, error?: unknown) => void;
}

/** Methods that may be sent again when the service has just closed the connection (RFC 9110 section 9.2.2). */
const REPEATABLE: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'PROPFIND',
  'REPORT',
]);
/** Up to here the head of an answer and its first bytes go in one piece. */
const JOINED_BYTES = 16_000;
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Asks a service what the visitor asked, and brings back what it says. Returns what takes the body. */
export function serveHttp(deps: ServeHttpDeps): StreamReader {
  const request = localRequest(deps.head, deps.target);
  if (request !== undefined) return new HttpServing(deps, request);
  deps.onRefused('bad_request');
  refuse(deps.stream, 'bad_request');
  return dropping(deps.stream);
}

/** Takes a body that nobody wants. */
export function dropping(stream: TunnelStream): StreamReader {
  return { data: ({ length }) => stream.consumed(length), end: () => undefined, reset: () => undefined };
}

class HttpServing implements StreamReader, AnswerReader {
  readonly method: string;
  readonly #deps: ServeHttpDeps;
  readonly #request: LocalRequest;
  #connection: HttpConnection | undefined;
  /** What was read of the body before there was a connection. */
  #early: Uint8Array[] = [];
  #isChunked = false;
  #isStarted = false;
  #isRequestOver = false;
  #isOver = false;
  #isRetry = false;
  #hasAnswer = false;
  /** Bytes of the body that came, and those that wait in the connection. */
  #received = 0;
  #owed = 0;
  #pendingHead: Uint8Array | undefined;
  #timer: Timer | undefined;

  constructor(deps: ServeHttpDeps, request: LocalRequest) {
    this.#deps = deps;
    this.#request = request;
    this.method = deps.head.method;
    if (request.length !== undefined) this.#start(`content-length: ${request.length}\r\n`);
  }

  // What the visitor sends.

  data(chunk: Uint8Array): void {
    this.#received += chunk.length;
    if (this.#isOver) return this.#deps.stream.consumed(chunk.length);
    // What exceeds the stated length would be the next request of that connection.
    if (this.#request.length !== undefined && this.#received > this.#request.length) return this.#abort();
    if (!this.#isStarted) {
      this.#isChunked = true;
      this.#start('transfer-encoding: chunked\r\n');
    }
    // Credit for what was early brings more at once, which stands behind it.
    if (this.#connection === undefined || this.#early.length > 0) this.#early.push(chunk);
    else this.#send(chunk, this.#connection);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isRequestOver = true;
    const { length } = this.#request;
    if (length !== undefined && this.#received < length) return this.#abort();
    if (!this.#isStarted) this.#start(['GET', 'HEAD'].includes(this.method) ? '' : 'content-length: 0\r\n');
    else if (this.#connection !== undefined && this.#early.length === 0)
      this.#finishRequest(this.#connection);
  }

  reset(): void {
    this.#close();
  }

  // What goes to the service.

  #start(framing: string): void {
    this.#isStarted = true;
    this.#awaitAnswer();
    this.#connect(`${this.#request.lines}${framing}\r\n`);
  }

  #awaitAnswer(): void {
    const { headTimeoutMs, clock } = this.#deps;
    const received = this.#received;
    this.#timer = clock.setTimer(headTimeoutMs, () => {
      // While the body moves nobody is kept waiting: a large one takes longer than any answer may.
      if (this.#received > received) this.#awaitAnswer();
      else this.#refuse('service_timeout');
    });
  }

  #connect(head: string): void {
    const { client } = this.#deps;
    const begin = (connection: HttpConnection) => this.#begin(connection, head);
    try {
      const taken = this.#isRetry ? client.connect() : client.take(this.#isRepeatable());
      if (taken instanceof Promise) taken.then(begin, (error: unknown) => this.#unreachable(error));
      else begin(taken);
    } catch (error) {
      this.#unreachable(error);
    }
  }

  #begin(connection: HttpConnection, head: string): void {
    if (this.#isOver) return connection.destroy();
    this.#connection = connection;
    connection.begin(head, this);
    for (let [chunk] = this.#early; chunk !== undefined; [chunk] = this.#early) {
      this.#send(chunk, connection);
      this.#early.shift();
    }
    if (this.#isRequestOver || this.#request.length === 0) this.#finishRequest(connection);
  }

  #send(chunk: Uint8Array, connection: HttpConnection): void {
    const framed = this.#isChunked ? chunkOf(chunk) : chunk;
    if (connection.write(framed)) this.#deps.stream.consumed(chunk.length);
    else this.#owed += chunk.length;
  }

  #finishRequest(connection: HttpConnection): void {
    if (this.#isChunked) connection.write(LAST_CHUNK);
    connection.sent();
  }

  drained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#deps.stream.consumed(owed);
  }

  #isRepeatable(): boolean {
    return REPEATABLE.has(this.method) && this.#received === 0 && (this.#request.length ?? 0) === 0;
  }

  // What comes back.

  head(head: AnswerHead): void {
    this.#timer?.[Symbol.dispose]();
    try {
      this.#pendingHead = encodeAnswerHead({ status: head.status, headers: answerHeaders(head) });
      this.#hasAnswer = true;
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#refuse('service_failed', error);
    }
  }

  /** Not named `data`, which is what comes from the visitor. */
  answerData(chunk: Uint8Array): void {
    if (this.#isOver) return;
    const head = this.#pendingHead;
    this.#pendingHead = undefined;
    if (head === undefined) return this.#write(chunk);
    if (head.length + chunk.length <= JOINED_BYTES) return this.#write(Buffer.concat([head, chunk]));
    this.#write(head);
    this.#write(chunk);
  }

  flushed(): void {
    const head = this.#pendingHead;
    this.#pendingHead = undefined;
    if (head !== undefined && !this.#isOver) this.#write(head);
  }

  ended(): void {
    this.flushed();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#deps.stream.finish();
  }

  failed(failure: ExchangeFailure, sawAnswer: boolean): void {
    if (this.#isOver) return;
    const connection = this.#connection;
    this.#connection = undefined;
    // A connection that was kept, and that the service closed just now.
    const isStale = failure === 'closed' && !sawAnswer && connection !== undefined && connection.uses > 1;
    if (isStale && !this.#isRetry && this.#isRepeatable()) {
      this.#isRetry = true;
      this.#timer?.[Symbol.dispose]();
      this.#start(
        this.#request.length === 0 || !['GET', 'HEAD'].includes(this.method) ? 'content-length: 0\r\n' : '',
      );
      return;
    }
    if (this.#hasAnswer) this.#abort();
    else this.#refuse('service_failed', failure);
  }

  #write(bytes: Uint8Array): void {
    const room = this.#deps.stream.write(bytes);
    if (room === undefined) return;
    const connection = this.#connection;
    connection?.pause();
    room.then(
      () => connection?.resume(),
      () => undefined,
    );
  }

  // How it ends early.

  #unreachable(error: unknown): void {
    if (error instanceof TooManyConnections) return this.#refuse('busy', error);
    if (error instanceof ConnectError && error.failure === 'timeout')
      return this.#refuse('service_timeout', error);
    this.#refuse('service_unreachable', error);
  }

  #refuse(code: RefusalCode, error?: unknown): void {
    if (this.#isOver) return;
    this.#deps.onRefused(code, error);
    if (this.#hasAnswer) return this.#abort();
    this.#close();
    refuse(this.#deps.stream, code);
  }

  /** What cannot be told any more is cut off, so that nobody takes the half for the whole. */
  #abort(): void {
    this.#close();
    this.#deps.stream.reset();
  }

  #close(): void {
    this.#isOver = true;
    this.#pendingHead = undefined;
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#release();
  }

  #release(): void {
    this.#timer?.[Symbol.dispose]();
    const early = this.#early;
    this.#early = [];
    // A stream is over only once all of it was consumed, whoever has it now.
    for (const { length } of early) this.#deps.stream.consumed(length);
    this.drained();
  }
}

function chunkOf(data: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, CRLF]);
}

const CRLF = Buffer.from('\r\n');
