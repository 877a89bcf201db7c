import type { RevokeReason } from './model.ts';

/** Why a stream of ours ends, as its reader is told; a reader that went away is told nothing. */
export type StreamEnd = RevokeReason | 'expired' | 'too_slow' | 'shutting_down';

/**
 * What a reader may leave unread before it is let go, in bytes. Chunks are shared between the streams of a user, so
 * that many slow readers of one user cost little more than one.
 */
const MAX_QUEUED_BYTES = 256 * 1024;

const encoder = new TextEncoder();
/** Without a first byte the headers would wait for the first event. */
const OPEN = encoder.encode(': open\n\n');
const KEEP_ALIVE = encoder.encode(': keep-alive\n\n');

/** One event in the format of server-sent events (HTML Living Standard section 9.2.6). `data` becomes one line of JSON. */
export function encodeEvent(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export interface EventStream {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Hands over encoded events; a reader who is too far behind is let go instead, so that it reads the list again. */
  send(chunk: Uint8Array<ArrayBuffer>): void;
  /** Shows proxies and the other end that the connection lives. */
  keepAlive(): void;
  /** Says why, and ends the stream; doing so twice is harmless. */
  end(reason: StreamEnd): void;
  /** Ends the stream for a reader who is not there any more. */
  abandon(): void;
}

/** One open stream of server-sent events. `onEnd` is called once, however it ends, with the reason its reader is told. */
export function eventStream(onEnd: (reason?: StreamEnd) => void): EventStream {
  let ended = false;
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;

  const finish = (reason?: StreamEnd) => {
    if (ended) return;
    ended = true;
    onEnd(reason);
    if (reason === undefined) return;
    controller?.enqueue(encoder.encode(encodeEvent('end', { reason })));
    controller?.close();
  };
  const hasRoom = () => (controller?.desiredSize ?? 0) > 0;

  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(started) {
        controller = started;
        started.enqueue(OPEN);
      },
      cancel: () => finish(),
    },
    { highWaterMark: MAX_QUEUED_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return {
    body,
    send(chunk) {
      if (ended) return;
      if (hasRoom()) controller?.enqueue(chunk);
      else finish('too_slow');
    },
    keepAlive() {
      if (!ended && hasRoom()) controller?.enqueue(KEEP_ALIVE);
    },
    end: finish,
    abandon: () => finish(),
  };
}
