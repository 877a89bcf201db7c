import type { ResetReason, StreamReader, TunnelStream } from './model.ts';

/** What a consumer of the body may have waiting before the sender is held back, in bytes. */
const READ_AHEAD_BYTES = 64 * 1024;

/** A stream that was reset before its end. */
export class StreamResetError extends Error {
  override readonly name = 'StreamResetError';
  readonly reason: ResetReason;

  constructor(reason: ResetReason) {
    super(`the stream was reset (${reason})`);
    this.reason = reason;
  }
}

/**
 * A stream's bytes as a web stream, and the reader that feeds it. Credit goes back as the consumer pulls, so that one
 * who stalls holds the sender; one who cancels resets the stream.
 */
export function readableOf(
  stream: TunnelStream,
  onReset?: (reason: ResetReason) => void,
): { readable: ReadableStream<Uint8Array>; reader: StreamReader } {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let enqueued = 0;
  let returned = 0;
  /** What the consumer has taken since the last time. */
  const settle = () => {
    const waiting = READ_AHEAD_BYTES - (controller?.desiredSize ?? READ_AHEAD_BYTES);
    const taken = enqueued - waiting - returned;
    if (taken <= 0) return;
    returned += taken;
    stream.consumed(taken);
  };
  const readable = new ReadableStream<Uint8Array>(
    {
      start: (given) => {
        controller = given;
      },
      pull: settle,
      cancel: () => {
        controller = undefined;
        stream.reset();
      },
    },
    { highWaterMark: READ_AHEAD_BYTES, size: (chunk) => chunk?.length ?? 0 },
  );
  const reader: StreamReader = {
    data(chunk) {
      enqueued += chunk.length;
      controller?.enqueue(chunk);
      // A consumer that was already waiting has it now, and nobody pulls for what did not fill the queue.
      settle();
    },
    end() {
      // Nobody pulls any more; what is left is the consumer's.
      stream.consumed(enqueued - returned);
      controller?.close();
    },
    reset(reason) {
      controller?.error(new StreamResetError(reason));
      controller = undefined;
      onReset?.(reason);
    },
  };
  return { readable, reader };
}

/** Copies a body into a stream at the speed at which that takes it, then finishes; a body that fails resets the stream. */
export async function writeBody(stream: TunnelStream, body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  try {
    while (stream.isWritable) {
      const { done, value } = await reader.read();
      if (done) return stream.finish();
      const room = stream.write(value);
      if (room !== undefined) await room;
    }
    await reader.cancel();
  } catch {
    stream.reset();
  }
}

/** What arrives on one stream goes out on the other, both ways, at the speed of the slower side. */
export function joinStreams(one: TunnelStream, other: TunnelStream): void {
  one.read(forwarder(one, other));
  other.read(forwarder(other, one));
}

/** A reader of `from` that writes to `to`: credit goes back once `to` has room for more. */
export function forwarder(from: TunnelStream, to: TunnelStream): StreamReader {
  return {
    data(chunk) {
      const room = to.write(chunk);
      if (room === undefined) from.consumed(chunk.length);
      else void room.then(() => from.consumed(chunk.length));
    },
    end: () => to.finish(),
    reset: () => to.reset(),
  };
}
