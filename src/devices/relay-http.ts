import { ByteQueue } from '../tunnel/byte-queue.ts';
import { writeBody } from '../tunnel/flow.ts';
import type { HeaderList } from '../tunnel/header-list.ts';
import { type AnswerHead, decodeAnswerHead } from '../tunnel/heads.ts';
import type { ResetReason, StreamReader } from '../tunnel/model.ts';
import { readHead } from '../tunnel/read-head.ts';
import { AnswerBody } from './answer-body.ts';
import type { HubMetrics } from './metrics-hub.ts';
import type { OpenStream } from './open-stream.ts';
import { endedEarly, malformedAnswer, type RelayFailure, refusedByAgent } from './relay-errors.ts';

/** One request to a service, and what becomes of its answer. */
export interface HttpExchange {
  readonly open: OpenStream;
  /** The encoded head (`encodeRequestHead`). */
  readonly head: Uint8Array;
  readonly method: string;
  readonly body: ReadableStream<Uint8Array> | null;
  /** Aborts when the visitor goes away. */
  readonly signal: AbortSignal;
  /** The fields of an answer as the visitor may see them. */
  readonly fieldsOf: (headers: HeaderList) => Headers;
  /** The answer is out, as far as we are concerned. */
  readonly onAnswered: () => void;
  readonly metrics: Pick<HubMetrics, 'carried'>;
}

/** Answers up to this size go in one piece, with their length, in bytes. */
const WHOLE_BYTES = 65_536;
/** Statuses whose answers never have a body (RFC 9110 section 6.4.1); Fetch adds 205. */
const BODILESS: readonly number[] = [204, 205, 304];

const NOTHING: StreamReader = { data: () => undefined, end: () => undefined, reset: () => undefined };

/** Carries a request to a device and brings back the answer, both as streams. @throws AppError when there is none. */
export function relayHttp(exchange: HttpExchange): Promise<Response> {
  return new HttpRelay(exchange).start();
}

/** The answer's body, gathered until it is known whether it goes in one piece. */
class HttpRelay implements StreamReader {
  readonly #exchange: HttpExchange;
  readonly #answer = Promise.withResolvers<Response>();
  #status = 0;
  #headers = new Headers();
  /** What the answer says of itself, in bytes; `undefined` when it says nothing. */
  #length: number | undefined;
  readonly #gathered = new ByteQueue();
  #body: AnswerBody | undefined;
  #isAnswered = false;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  start(): Promise<Response> {
    const { open, head, body, signal } = this.#exchange;
    const { stream } = open;
    void stream.write(head);
    if (body === null) stream.finish();
    else void writeBody(stream, body);
    readHead(stream, decodeAnswerHead, {
      head: (answer) => this.#head(answer),
      bad: () => this.#fail(malformedAnswer()),
      reset: (reason) => this.reset(reason),
    });
    signal.addEventListener('abort', this.#onAbort);
    return this.#answer.promise;
  }

  readonly #onAbort = (): void => {
    this.#exchange.open.stream.reset();
  };

  #head(answer: AnswerHead): StreamReader {
    const { open, method, fieldsOf } = this.#exchange;
    if ('refused' in answer) return this.#fail(refusedByAgent(answer.refused));
    if (answer.status === 101) return this.#fail(malformedAnswer());
    open.answered(isEventStream(answer.headers));
    this.#status = answer.status;
    this.#length = lengthOf(answer.headers);
    this.#headers = fieldsOf(answer.headers);
    if (method === 'HEAD' || BODILESS.includes(answer.status)) {
      this.#settle(null);
      this.#exchange.onAnswered();
      return {
        data: ({ length }) => open.stream.consumed(length),
        end: () => this.end(),
        reset: () => this.#over(),
      };
    }
    this.#headers.delete('content-length');
    // What came in one frame with the head is here before this runs.
    queueMicrotask(() => this.#decide());
    return this;
  }

  data(chunk: Uint8Array): void {
    if (this.#body !== undefined) return this.#body.push(chunk, chunk.length);
    this.#exchange.open.stream.consumed(chunk.length);
    if (this.#isAnswered) return;
    this.#gathered.push(chunk);
    const { bytes } = this.#gathered;
    if (bytes === this.#length) return this.#settleWhole();
    const hasRoom = this.#exchange.open.stream.keeps(bytes);
    if (bytes > WHOLE_BYTES || !hasRoom) this.#stream();
  }

  end(): void {
    if (this.#body !== undefined) {
      // The tunnel may end from here on, and nobody but the connection would look whether the visitor still reads.
      this.#exchange.onAnswered();
      return this.#body.finish();
    }
    if (!this.#isAnswered && this.#gathered.bytes < (this.#length ?? 0))
      return void this.#fail(malformedAnswer());
    this.#settleWhole();
    this.#over();
  }

  reset(reason: ResetReason): void {
    if (!this.#isAnswered) return void this.#fail(endedEarly(reason, this.#exchange.open.cutReason));
    this.#body?.fail();
    this.#over();
  }

  /** In one piece where it is all here, or will be in a moment; otherwise as it comes. */
  #decide(): void {
    if (this.#isAnswered || (this.#length ?? Infinity) <= WHOLE_BYTES) return;
    this.#stream();
  }

  #stream(): void {
    const body = new AnswerBody(this.#exchange.open.stream, {
      done: () => this.#over(),
      cancelled: () => {
        this.#onAbort();
        // Of a stream that both sides had finished nobody hears any more.
        this.#over();
      },
    });
    this.#body = body;
    if (this.#gathered.bytes > 0) body.push(this.#gathered.takeAll(), 0);
    this.#settle(body.readable);
  }

  #settleWhole(): void {
    if (this.#isAnswered) return;
    this.#exchange.open.stream.keeps(0);
    const isEmpty = this.#gathered.bytes === 0;
    this.#settle(isEmpty ? null : (this.#gathered.takeAll() as Uint8Array<ArrayBuffer>));
    this.#exchange.onAnswered();
  }

  #settle(body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null): void {
    this.#isAnswered = true;
    this.#exchange.metrics.carried('http', 'answered');
    this.#answer.resolve(new Response(body, { status: this.#status, headers: this.#headers }));
  }

  #fail({ error, outcome }: RelayFailure): StreamReader {
    if (this.#isAnswered) return NOTHING;
    this.#isAnswered = true;
    this.#exchange.metrics.carried('http', outcome);
    this.#exchange.onAnswered();
    this.#answer.reject(error);
    this.#over();
    return NOTHING;
  }

  /** What the visitor still sends is nobody's any more. */
  #over(): void {
    const { open, signal, onAnswered } = this.#exchange;
    signal.removeEventListener('abort', this.#onAbort);
    if (this.#body !== undefined) onAnswered();
    open.stream.reset();
    open.released();
  }
}

function isEventStream(headers: HeaderList): boolean {
  const type = headers.find(([name]) => name === 'content-type')?.[1];
  return type?.toLowerCase().startsWith('text/event-stream') === true;
}

/** What an answer says of its length; the agent has seen that it says so once. */
function lengthOf(headers: HeaderList): number | undefined {
  const length = headers.find(([name]) => name === 'content-length')?.[1];
  return length === undefined ? undefined : Number(length);
}
