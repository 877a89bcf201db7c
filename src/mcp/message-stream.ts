/**
 * What a reader may leave unread before it is let go, in bytes. One message more always fits, however large it is: its
 * size was bounded where it came from.
 */
const MAX_QUEUED_BYTES = 1024 * 1024;

const encoder = new TextEncoder();
const KEEP_ALIVE = encoder.encode(': keep-alive\n\n');

/** Headers of an answer that stays open (HTML Living Standard section 9.2). */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-content-type-options': 'nosniff',
  // nginx would keep events back until its buffer is full.
  'x-accel-buffering': 'no',
  // Without a timeout, nobody would ever close a connection that its client leaves idle.
  connection: 'close',
};

/** One open answer of server-sent events. */
export interface MessageStream {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly isOpen: boolean;
  /** `false`: the reader is gone, or was so far behind that it was let go now. */
  write(text: string): boolean;
  /** Shows proxies and the other end that the connection lives. */
  keepAlive(): void;
  /** Ends the answer; doing so twice is harmless. */
  close(): void;
}

/** One event; `data` becomes one line of JSON. */
export function encodeMessage(message: unknown, eventId?: string): string {
  const id = eventId === undefined ? '' : `id: ${eventId}\n`;
  return `event: message\n${id}data: ${JSON.stringify(message)}\n\n`;
}

/** `onGone` is called once when the reader went away or was let go, not after `close`. */
export function messageStream(first: string, onGone: () => void): MessageStream {
  return new OpenStream(first, onGone);
}

class OpenStream implements MessageStream {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  readonly #onGone: () => void;

  constructor(first: string, onGone: () => void) {
    this.#onGone = onGone;
    this.body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller;
          // Without a first byte the headers would wait for the first event.
          controller.enqueue(encoder.encode(first));
        },
        cancel: () => this.#gone(),
      },
      { highWaterMark: MAX_QUEUED_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  get isOpen(): boolean {
    return this.#controller !== undefined;
  }

  write(text: string): boolean {
    const controller = this.#controller;
    if (controller === undefined) return false;
    if ((controller.desiredSize ?? 0) <= 0) {
      this.close();
      this.#onGone();
      return false;
    }
    controller.enqueue(encoder.encode(text));
    return true;
  }

  keepAlive(): void {
    const controller = this.#controller;
    if (controller !== undefined && (controller.desiredSize ?? 0) > 0) controller.enqueue(KEEP_ALIVE);
  }

  close(): void {
    const controller = this.#controller;
    this.#controller = undefined;
    controller?.close();
  }

  #gone(): void {
    if (this.#controller === undefined) return;
    this.#controller = undefined;
    this.#onGone();
  }
}
