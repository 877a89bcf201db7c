import { ByteQueue } from './byte-queue.ts';
import { HEAD_LENGTH_BYTES, HeadError, headLength } from './heads.ts';
import type { ResetReason, StreamReader, TunnelStream } from './model.ts';

export interface HeadHandler<Head> {
  /** The head arrived; what follows it goes to the reader that this returns. */
  head(head: Head): StreamReader;
  /** The head is malformed, too long, or was never finished; the stream is still open. */
  bad(error: HeadError): void;
  /** The stream ended before its head was whole. */
  reset(reason: ResetReason): void;
}

/** Reads the head of a stream and hands on what follows. `decode` throws `HeadError`; it is not asked for one that is too long. */
export function readHead<Head>(
  stream: TunnelStream,
  decode: (text: Uint8Array) => Head,
  handler: HeadHandler<Head>,
): void {
  /** What has come of one that is not whole; it is looked at again once there are so many bytes. */
  let held: ByteQueue | undefined;
  let needed = 0;
  const gather = (chunk: Uint8Array) => {
    if (held === undefined) return chunk;
    held.push(chunk);
    return held.bytes < needed ? undefined : held.takeAll();
  };
  const refuse = (error: HeadError) => {
    held = undefined;
    stream.keeps(0);
    stream.read(deaf(stream, handler));
    handler.bad(error);
  };
  stream.read({
    data(chunk) {
      const bytes = gather(chunk);
      const found = bytes === undefined ? needed : attempt(bytes, decode);
      if (typeof found === 'number') {
        needed = found;
        held ??= new ByteQueue();
        if (bytes !== undefined) held.push(bytes);
        stream.consumed(chunk.length);
        stream.keeps(held.bytes);
        return;
      }
      held = undefined;
      stream.keeps(0);
      if (found instanceof HeadError) {
        stream.consumed(chunk.length);
        return refuse(found);
      }
      const { head, rest } = found;
      const next = handler.head(head);
      if (rest.length > 0) next.data(rest);
      stream.read(next);
      stream.consumed(chunk.length - rest.length);
    },
    end: () => refuse(new HeadError('the stream ended within its head')),
    reset: (reason) => handler.reset(reason),
  });
}

/** A number: how many bytes it takes to go on. */
function attempt<Head>(
  bytes: Uint8Array,
  decode: (text: Uint8Array) => Head,
): { head: Head; rest: Uint8Array } | HeadError | number {
  if (bytes.length < HEAD_LENGTH_BYTES) return HEAD_LENGTH_BYTES;
  try {
    const end = HEAD_LENGTH_BYTES + headLength(bytes);
    if (bytes.length < end) return end;
    return { head: decode(bytes.subarray(HEAD_LENGTH_BYTES, end)), rest: bytes.subarray(end) };
  } catch (error) {
    if (error instanceof HeadError) return error;
    throw error;
  }
}

/** Drops what still comes. */
function deaf<Head>(stream: TunnelStream, handler: HeadHandler<Head>): StreamReader {
  return {
    data: (chunk) => stream.consumed(chunk.length),
    end: () => undefined,
    reset: (reason) => handler.reset(reason),
  };
}
