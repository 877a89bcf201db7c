import type { LocalSocket, LocalSocketReader } from './buffered-socket.ts';
import {
  type AnswerHead,
  AnswerMalformed,
  framingOf,
  keepsAlive,
  readAnswerHead,
} from './http-answer-head.ts';
import { type BodyReader, bodyReader } from './http-body.ts';

/** Why a request to a service came to nothing. */
export type ExchangeFailure = 'closed' | 'malformed' | 'head_too_large';

/** What comes back for one request. `ended` or `failed` is the last. */
export interface AnswerReader {
  readonly method: string;
  head(head: AnswerHead): void;
  answerData(chunk: Uint8Array): void;
  ended(): void;
  failed(failure: ExchangeFailure, sawAnswer: boolean): void;
  /** All that one piece of the connection held has been handed over. */
  flushed(): void;
  /** More of the request's body can be written. */
  drained(): void;
}

/** What is done with a connection once an answer is complete. */
export interface ConnectionOwner {
  readonly headBytes: number;
  /** It can take another request. */
  free(connection: HttpConnection): void;
  gone(connection: HttpConnection): void;
}

const HEAD_END = '\r\n\r\n';

/** One connection to a service that speaks HTTP/1.1: a request at a time (RFC 9112). */
export class HttpConnection implements LocalSocketReader {
  readonly #owner: ConnectionOwner;
  #socket: LocalSocket | undefined;
  #answer: AnswerReader | undefined;
  /** The head as far as it has come. */
  #head: Buffer | undefined;
  #body: BodyReader | undefined;
  #endsWithConnection = false;
  #isReusable = false;
  #sawAnswer = false;
  #isRequestSent = false;
  #isGone = false;
  /** Monotonic time at which it was freed. */
  freeSince = 0;
  /** Requests that it has taken. */
  uses = 0;

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
  }

  attach(socket: LocalSocket): void {
    this.#socket = socket;
  }

  /** Sends the head of a request; its body follows by `write`. */
  begin(head: string, answer: AnswerReader): void {
    this.#answer = answer;
    this.#body = undefined;
    this.#endsWithConnection = false;
    this.#sawAnswer = false;
    this.#isRequestSent = false;
    this.uses++;
    this.#socket?.write(Buffer.from(head, 'latin1'));
  }

  write(chunk: Uint8Array): boolean {
    return this.#socket?.write(chunk) ?? true;
  }

  /** The request is complete. */
  sent(): void {
    this.#isRequestSent = true;
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  destroy(): void {
    this.#answer = undefined;
    if (this.#isGone) return;
    this.#isGone = true;
    this.#socket?.destroy();
    this.#owner.gone(this);
  }

  data(chunk: Uint8Array): void {
    const answer = this.#answer;
    // Nobody asked.
    if (answer === undefined) return this.destroy();
    this.#sawAnswer = true;
    try {
      this.#read(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), answer);
    } catch (error) {
      if (!(error instanceof AnswerMalformed)) throw error;
      this.#fail('malformed');
    }
    answer.flushed();
  }

  #read(bytes: Buffer, answer: AnswerReader): void {
    const rest = this.#body === undefined ? this.#readHead(bytes, answer) : bytes;
    if (rest === undefined || this.#body === undefined) return;
    const own = this.#body.push(rest, (data) => answer.answerData(data));
    if (own !== undefined) this.#complete(own === rest.byteLength);
  }

  /** What follows the head; `undefined` while it is incomplete. */
  #readHead(bytes: Buffer, answer: AnswerReader): Buffer | undefined {
    const whole = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes]);
    const end = whole.indexOf(HEAD_END);
    if ((end === -1 ? whole.byteLength : end) > this.#owner.headBytes) {
      this.#fail('head_too_large');
      return undefined;
    }
    if (end === -1) {
      this.#head = whole;
      return undefined;
    }
    this.#head = undefined;
    const head = readAnswerHead(whole.toString('latin1', 0, end));
    const rest = whole.subarray(end + HEAD_END.length);
    // Nobody asked to change protocols; other interim answers are for whoever is nearest (RFC 9110 section 15.2).
    if (head.status === 101) throw new AnswerMalformed('protocol');
    if (head.status < 200) return rest.byteLength === 0 ? undefined : this.#readHead(rest, answer);
    const framing = framingOf(head, answer.method);
    this.#endsWithConnection = framing === 'until_close';
    this.#isReusable = !this.#endsWithConnection && keepsAlive(head);
    this.#body = bodyReader(framing);
    answer.head(head);
    return rest;
  }

  #complete(isAll: boolean): void {
    const answer = this.#answer;
    this.#answer = undefined;
    // A service that answers before it has read the request leaves the rest of it in the way of the next one. And whoever
    // was told of this answer may have given the connection up.
    const isFree = isAll && this.#isReusable && this.#isRequestSent && !this.#isGone;
    if (isFree) this.#owner.free(this);
    else this.destroy();
    answer?.ended();
  }

  #fail(failure: ExchangeFailure): void {
    const answer = this.#answer;
    this.destroy();
    answer?.failed(failure, this.#sawAnswer);
  }

  drained(): void {
    this.#answer?.drained();
  }

  ended(): void {
    if (this.#answer !== undefined && this.#endsWithConnection) this.#complete(false);
    else this.#fail('closed');
  }

  closed(): void {
    this.#fail('closed');
  }
}
