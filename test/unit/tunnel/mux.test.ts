import { expect, test } from 'bun:test';
import type { TunnelStream } from '../../../src/tunnel/model.ts';
import { mustOpen, recordingReader, tunnelPair } from '../../support/tunnel.ts';

test('a question, its answer, and both sides forget the stream', async () => {
  const answerIt = async (stream: TunnelStream) => {
    const heard = recordingReader(stream);
    await heard.done.promise;
    void stream.write(Buffer.from(`you said ${heard.text}`));
    stream.finish();
  };
  const { client, server } = tunnelPair({ client: { onStream: (stream) => void answerIt(stream) } });
  const stream = mustOpen(server.mux);
  const answer = recordingReader(stream);
  void stream.write(Buffer.from('he'));
  void stream.write(Buffer.from('llo'));
  stream.finish();
  await answer.done.promise;
  expect(answer.text).toBe('you said hello');
  // What is written in one turn is one frame, and the end another one.
  expect([server.frames.length, client.frames.length]).toEqual([2, 2]);
  expect([server.mux.streams.size, client.mux.streams.size]).toEqual([0, 0]);
  expect([server.mux.bufferedBytes, client.mux.bufferedBytes]).toEqual([0, 0]);
});

test('many bytes both ways on many streams', async () => {
  const echo = (stream: TunnelStream) =>
    stream.read({
      data(chunk) {
        const room = stream.write(chunk);
        if (room === undefined) stream.consumed(chunk.length);
        else void room.then(() => stream.consumed(chunk.length));
      },
      end: () => stream.finish(),
      reset: () => undefined,
    });
  const { client, server } = tunnelPair({ client: { onStream: echo }, server: { onStream: echo } });
  const run = async ({ mux }: typeof client) => {
    const stream = mustOpen(mux);
    const heard = recordingReader(stream);
    for (let piece = 0; piece < 200; piece++) {
      const room = stream.write(Buffer.alloc(40_000, piece));
      if (room !== undefined) await room;
    }
    stream.finish();
    await heard.done.promise;
    expect(heard.resets).toEqual([]);
    expect(heard.bytes).toBe(8_000_000);
    return Bun.hash(Buffer.concat(heard.chunks));
  };
  const sums = await Promise.all([client, server, client, server].map(run));
  expect(new Set(sums).size).toBe(1);
  expect([...client.ends, ...server.ends]).toEqual([]);
  expect([server.mux.bufferedBytes, client.mux.bufferedBytes]).toEqual([0, 0]);
  expect([server.mux.streams.size, client.mux.streams.size]).toEqual([0, 0]);
});
