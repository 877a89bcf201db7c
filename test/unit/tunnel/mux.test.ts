import { expect, test } from 'bun:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { HEADER_BYTES } from '../../../src/tunnel/constants.ts';
import { DEFAULT_MUX_LIMITS, type TunnelStream } from '../../../src/tunnel/model.ts';
import { openMux } from '../../../src/tunnel/mux.ts';
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

test('between two of ours, the last data and the end of a stream are one frame', async () => {
  const { client, server } = tunnelPair({
    client: {
      endsWithData: true,
      onStream: (stream) => {
        void stream.write(Buffer.alloc(20_000, 1));
        stream.finish();
      },
    },
  });
  const stream = mustOpen(server.mux);
  stream.finish();
  const heard = recordingReader(stream);
  await heard.done.promise;
  expect([heard.bytes, heard.ended]).toEqual([20_000, true]);
  expect(client.frames.map(({ length }) => length - HEADER_BYTES)).toEqual([16_384, 3_616]);
});

test('a transport may ask for a moment, in which more comes together', async () => {
  const moments: (() => void)[] = [];
  const corked: number[] = [];
  const sent: number[] = [];
  const mux = openMux({
    role: 'client',
    clock: systemClock,
    limits: DEFAULT_MUX_LIMITS,
    onEnd: () => undefined,
    transport: {
      send: ({ length }) => sent.push(length) > 0,
      later: (run) => void moments.push(run),
      cork(run) {
        run();
        corked.push(sent.length);
      },
      close: () => undefined,
    },
  });
  for (let at = 0; at < 3; at++) {
    void mustOpen(mux).write(new Uint8Array(100));
    await Promise.resolve();
  }
  expect([moments.length, sent.length]).toEqual([1, 0]);
  moments[0]?.();
  expect(corked).toEqual([3]);
  void mustOpen(mux).write(new Uint8Array(100));
  expect(moments).toHaveLength(2);
  // The end of the tunnel does not wait for it.
  mux.end(1000, 'over');
  moments[1]?.();
  expect(sent).toHaveLength(3);
});
