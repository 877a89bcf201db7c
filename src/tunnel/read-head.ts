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

const EMPTY: Uint8Array = new Uint8Array(0);

/** Reads the head of a stream and hands on what follows. `decode` throws `HeadError`; it is not asked for one that is too long. */
export function readHead<Head>(
  stream: TunnelStream,
  decode: (text: Uint8Array) => Head,
  handler: HeadHandler<Head>,
): void {
  let held = EMPTY;
  const refuse = (error: HeadError) => {
    held = EMPTY;
    stream.keeps(0);
    stream.read(deaf(stream, handler));
    handler.bad(error);
  };
  stream.read({
    data(chunk) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const found = attempt(held, decode);
      if (found === undefined) {
        stream.consumed(chunk.length);
        stream.keeps(held.length);
        return;
      }
      stream.keeps(0);
      if (found instanceof HeadError) {
        stream.consumed(chunk.length);
        return refuse(found);
      }
      const rest = held.subarray(found.end);
      held = EMPTY;
      const next = handler.head(found.head);
      if (rest.length > 0) next.data(rest);
      stream.read(next);
      stream.consumed(chunk.length - rest.length);
    },
    end: () => refuse(new HeadError('the stream ended within its head')),
    reset: (reason) => handler.reset(reason),
  });
}

function attempt<Head>(
  held: Uint8Array,
  decode: (text: Uint8Array) => Head,
): { head: Head; end: number } | HeadError | undefined {
  if (held.length < HEAD_LENGTH_BYTES) return undefined;
  try {
    const end = HEAD_LENGTH_BYTES + headLength(held);
    if (held.length < end) return undefined;
    return { head: decode(held.subarray(HEAD_LENGTH_BYTES, end)), end };
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
