import type { TunnelStream } from '../tunnel/model.ts';

/** What is told of an answer's body besides its bytes. */
export interface AnswerBodyEnd {
  /** Everything was handed over. */
  done(): void;
  /** The visitor went away. */
  cancelled(): void;
}

/**
 * The body of an answer on its way to a visitor. What came from the stream waits here until it is asked for, and only
 * then is credit returned: a visitor who stalls holds the service, at a hundred kilobytes of our memory.
 */
export class AnswerBody {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #stream: TunnelStream;
  readonly #end: AnswerBodyEnd;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #waiting: Uint8Array[] = [];
  /** What of it has not been returned as credit, in bytes. */
  #owed = 0;
  /** Whether credit was returned for what waits. */
  #isKept = false;
  #isWanted = false;
  #hasEnded = false;

  constructor(stream: TunnelStream, end: AnswerBodyEnd) {
    this.#stream = stream;
    this.#end = end;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#isWanted = true;
          this.#handOver();
        },
        cancel: () => {
          this.#controller = undefined;
          end.cancelled();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** `owed`: what of it is still to be returned as credit, in bytes. */
  push(chunk: Uint8Array, owed: number): void {
    this.#waiting.push(chunk);
    this.#owed += owed;
    if (owed === 0) this.#isKept = true;
    if (this.#isWanted) this.#handOver();
  }

  finish(): void {
    this.#hasEnded = true;
    if (this.#waiting.length === 0) this.#close();
  }

  /** Cuts the visitor off, so that nobody takes the half for the whole. */
  fail(): void {
    // Whatever stood here would be printed by the runtime as if it were a bug.
    this.#controller?.error(undefined);
    this.#controller = undefined;
    this.#waiting = [];
  }

  #handOver(): void {
    const owed = this.#owed;
    const [first] = this.#waiting;
    if (first === undefined || this.#controller === undefined) return;
    const chunk = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#owed = 0;
    this.#isWanted = false;
    this.#controller.enqueue(chunk);
    if (this.#isKept) this.#stream.keeps(0);
    this.#isKept = false;
    if (owed > 0) this.#stream.consumed(owed);
    if (this.#hasEnded && this.#waiting.length === 0) this.#close();
  }

  #close(): void {
    const controller = this.#controller;
    this.#controller = undefined;
    if (controller === undefined) return;
    this.#end.done();
    controller.close();
  }
}
