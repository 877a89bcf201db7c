import type { StreamReader, TunnelStream } from './model.ts';

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

export interface JoinEvents {
  /** Something arrived from the other one. */
  answered: () => void;
  /** Both directions are over, or one was cut and so is the other; maybe more than once. */
  over: () => void;
}

/** What arrives on one stream goes out on the other, both ways; credit goes back on one once the other has room for more. */
export function joinStreams(one: TunnelStream, other: TunnelStream, { answered, over }: JoinEvents): void {
  let ends = 0;
  const reader = (from: TunnelStream, to: TunnelStream, onData?: () => void): StreamReader => ({
    data(chunk) {
      onData?.();
      const room = to.write(chunk);
      if (room === undefined) from.consumed(chunk.length);
      else void room.then(() => from.consumed(chunk.length));
    },
    end() {
      to.finish();
      ends += 1;
      if (ends === 2) over();
    },
    reset() {
      to.reset();
      over();
    },
  });
  one.read(reader(one, other));
  other.read(reader(other, one, answered));
}
