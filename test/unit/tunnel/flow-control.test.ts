import { expect, test } from 'bun:test';
import { FrameType } from '../../../src/tunnel/constants.ts';
import { joinStreams, writeBody } from '../../../src/tunnel/flow.ts';
import { decodeRequestHead, encodeRequestHead } from '../../../src/tunnel/heads.ts';
import type { TunnelStream } from '../../../src/tunnel/model.ts';
import { readHead } from '../../../src/tunnel/read-head.ts';
import {
  ACK,
  creditFrame,
  dataFrame,
  FIN,
  pingFrame,
  RST,
  rawTunnel,
  SYN,
} from '../../support/raw-tunnel.ts';
import { mustOpen, recordingReader, tunnelPair } from '../../support/tunnel.ts';

const WINDOW = 256 * 1024;
const FRAME = 16 * 1024;

/** Everything that is on its way, on either side, has arrived. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}

function frames(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(FRAME));
}

test('credit goes back only for what was consumed, half a window at a time', async () => {
  const tunnel = rawTunnel({ onStream: () => undefined });
  tunnel.mux.receive(dataFrame(1, SYN, 'x'));
  const stream = tunnel.mux.streams.get(1) ?? expect.unreachable();
  const heard = recordingReader(stream, { hold: true });
  for (const data of frames(15)) tunnel.mux.receive(dataFrame(1, 0, data));
  expect(await tunnel.sent()).toEqual([]);
  // What a reader does not consume waits in the stream, in few pieces.
  expect(heard.bytes).toBeLessThan(WINDOW / 2 + FRAME);
  stream.consumed(WINDOW / 2 - FRAME);
  expect(await tunnel.sent()).toEqual([]);
  stream.consumed(FRAME);
  expect(await tunnel.sent()).toMatchObject([
    { type: FrameType.windowUpdate, id: 1, flags: ACK, length: WINDOW / 2 },
    // To learn whether a wider window would help.
    { type: FrameType.ping },
  ]);
  // More than there was is not returned.
  stream.consumed(10 * WINDOW);
  stream.consumed(10 * WINDOW);
  stream.consumed(10 * WINDOW);
  expect(heard.bytes).toBe(15 * FRAME + 1);
  expect(tunnel.mux.bufferedBytes).toBe(0);
  expect(stream.stats.receiveWindow).toBe(WINDOW - (15 * FRAME + 1 - WINDOW / 2));
});

test('a writer waits once the window is used up and enough has been written ahead', async () => {
  const tunnel = rawTunnel();
  const stream = mustOpen(tunnel.mux);
  expect(stream.write(new Uint8Array(WINDOW / 2))).toBeUndefined();
  await tunnel.sent();
  expect(stream.write(new Uint8Array(WINDOW / 2))).toBeUndefined();
  await tunnel.sent();
  expect(stream.stats.sendWindow).toBe(0);
  expect(stream.write(new Uint8Array(WINDOW / 2))).toBeUndefined();
  const room = stream.write(new Uint8Array(1));
  expect(room).toBeInstanceOf(Promise);
  expect(await tunnel.sent()).toEqual([]);
  expect(tunnel.mux.bufferedBytes).toBe(WINDOW / 2 + 1);
  tunnel.mux.receive(creditFrame(2, ACK, WINDOW));
  await room;
  const sent = await tunnel.sent();
  expect(sent.reduce((sum, { length }) => sum + length, 0)).toBe(WINDOW / 2 + 1);
  expect(Math.max(...sent.map(({ length }) => length))).toBe(FRAME);
});

test('a writer that waits goes on when the stream is reset, by either side or with the tunnel', async () => {
  const ways: ((tunnel: ReturnType<typeof rawTunnel>, stream: TunnelStream) => void)[] = [
    (_tunnel, stream) => stream.reset(),
    ({ mux }) => mux.receive(creditFrame(2, RST, 0)),
    ({ mux }) => mux.end(1000, 'over'),
    ({ mux }) => mux.lost(1006, 'gone'),
  ];
  for (const way of ways) {
    const tunnel = rawTunnel();
    const stream = mustOpen(tunnel.mux);
    const heard = recordingReader(stream);
    const room = stream.write(new Uint8Array(2 * WINDOW));
    await tunnel.sent();
    way(tunnel, stream);
    await room;
    expect(stream.isWritable).toBe(false);
    expect(stream.write(new Uint8Array(2 * WINDOW))).toBeUndefined();
    expect(heard.resets).toHaveLength(1);
    expect(tunnel.mux.bufferedBytes).toBe(0);
  }
});

test('streams take turns, a frame each, and a short one does not wait for a long one', async () => {
  const tunnel = rawTunnel();
  tunnel.full = true;
  const [long, other, short] = [mustOpen(tunnel.mux), mustOpen(tunnel.mux), mustOpen(tunnel.mux)];
  await tunnel.sent();
  void long.write(new Uint8Array(4 * FRAME));
  void other.write(new Uint8Array(3 * FRAME));
  void short.write(new Uint8Array(10));
  short.finish();
  tunnel.full = false;
  const ids = (await tunnel.sent()).map(({ id }) => id);
  expect(ids).toEqual([4, 6, 2, 4, 6, 2, 4, 2, 2]);
});

test('control frames go before data, and nothing goes while the transport is full', async () => {
  const tunnel = rawTunnel();
  const stream = mustOpen(tunnel.mux);
  await tunnel.sent();
  tunnel.full = true;
  void stream.write(new Uint8Array(4 * FRAME));
  expect(await tunnel.sent()).toHaveLength(1);
  tunnel.mux.receive(pingFrame(SYN, 7));
  expect(await tunnel.sent()).toEqual([]);
  tunnel.full = false;
  expect(await tunnel.sent()).toMatchObject([
    { type: FrameType.ping, flags: ACK, length: 7 },
    { type: FrameType.data },
    { type: FrameType.data },
    { type: FrameType.data },
  ]);
});

test('a window that is used up within a round trip grows to 4 MiB, and with it what may be under way', async () => {
  const tunnel = rawTunnel({ onStream: (stream) => void recordingReader(stream) });
  tunnel.mux.receive(dataFrame(1, SYN, ''));
  const stream = tunnel.mux.streams.get(1) ?? expect.unreachable();
  const answered = async (roundTripMs: number) => {
    const sent = await tunnel.sent();
    const ping = sent.find(({ type }) => type === FrameType.ping);
    if (ping === undefined) return sent;
    await tunnel.clock.advance(roundTripMs);
    tunnel.mux.receive(pingFrame(ACK, ping.length));
    return sent;
  };
  for (let sent = 0; sent < 64 * 1024 * 1024; sent += FRAME) {
    tunnel.mux.receive(dataFrame(1, 0, new Uint8Array(FRAME)));
    await answered(10);
  }
  expect(stream.stats.receiveWindow).toBeGreaterThan(2 * 1024 * 1024);
  expect(stream.stats.receiveWindow).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(tunnel.ends).toEqual([]);
});

test('a window that lasts longer does not grow', async () => {
  const tunnel = rawTunnel({ onStream: (stream) => void recordingReader(stream) });
  tunnel.mux.receive(dataFrame(1, SYN, ''));
  const pinged = tunnel.mux.ping();
  const [, ping] = [await tunnel.sent(), 1];
  tunnel.mux.receive(pingFrame(ACK, ping));
  expect(await pinged).toBe(0);
  for (let at = 0; at < 100; at++) {
    tunnel.mux.receive(dataFrame(1, 0, new Uint8Array(FRAME)));
    await tunnel.clock.advance(5);
  }
  expect(tunnel.mux.streams.get(1)?.stats.receiveWindow).toBeLessThanOrEqual(WINDOW);
});

test('all windows together do not grow beyond the bound on memory', async () => {
  const tunnel = rawTunnel({ onStream: (stream) => void recordingReader(stream) });
  const pinged = tunnel.mux.ping();
  await tunnel.sent();
  await tunnel.clock.advance(10);
  tunnel.mux.receive(pingFrame(ACK, 1));
  await pinged;
  const ids = Array.from({ length: 16 }, (_, at) => 1 + 2 * at);
  for (const id of ids) tunnel.mux.receive(dataFrame(id, SYN, ''));
  for (let round = 0; round < 1000; round++) {
    for (const id of ids) tunnel.mux.receive(dataFrame(id, 0, new Uint8Array(FRAME)));
    await tunnel.sent();
  }
  const windows = [...tunnel.mux.streams.values()].reduce((sum, { stats }) => sum + stats.receiveWindow, 0);
  expect(windows).toBeGreaterThan(4 * 1024 * 1024);
  expect(windows).toBeLessThanOrEqual(16 * 1024 * 1024);
  expect(tunnel.ends).toEqual([]);
});

test('stalled readers of many streams cost the stream that holds most, not the tunnel', async () => {
  const heard: ReturnType<typeof recordingReader>[] = [];
  const tunnel = rawTunnel({
    onStream: (stream) => void heard.push(recordingReader(stream, { hold: true })),
    limits: { memoryBytes: 1024 * 1024 },
  });
  const ids = Array.from({ length: 100 }, (_, at) => 1 + 2 * at);
  tunnel.mux.receive(dataFrame(1, SYN, 'quiet'));
  for (const id of ids.slice(1)) {
    tunnel.mux.receive(dataFrame(id, SYN, ''));
    for (const data of frames(16)) tunnel.mux.receive(dataFrame(id, 0, data));
    expect(tunnel.mux.bufferedBytes).toBeLessThanOrEqual(1024 * 1024);
  }
  expect(tunnel.ends).toEqual([]);
  expect(tunnel.mux.streams.has(1)).toBe(true);
  expect(heard.filter(({ resets }) => resets[0] === 'memory').length).toBeGreaterThan(90);
  expect((await tunnel.sent()).every(({ flags }) => (flags & RST) !== 0)).toBe(true);
});

test('answers that have wholly arrived count while nobody reads them, and can be given up too', () => {
  const tunnel = rawTunnel({
    onStream: (stream) => {
      recordingReader(stream, { hold: true });
      stream.finish();
    },
    limits: { memoryBytes: 1024 * 1024 },
  });
  for (let id = 1; id < 60; id += 2) {
    tunnel.mux.receive(dataFrame(id, SYN, ''));
    for (const data of frames(15)) tunnel.mux.receive(dataFrame(id, 0, data));
    tunnel.mux.receive(dataFrame(id, FIN, ''));
    expect(tunnel.mux.bufferedBytes).toBeLessThanOrEqual(1024 * 1024);
  }
  expect(tunnel.ends).toEqual([]);
});

test('bytes that arrive one by one for a stalled reader take the memory of their number', () => {
  const tunnel = rawTunnel({ onStream: (stream) => void recordingReader(stream, { hold: true }) });
  tunnel.mux.receive(dataFrame(1, SYN, ''));
  const one = dataFrame(1, 0, 'x');
  for (let at = 0; at < WINDOW; at++) tunnel.mux.receive(one.slice());
  const stream = tunnel.mux.streams.get(1) ?? expect.unreachable();
  const heard = recordingReader(stream);
  stream.consumed(1);
  expect(heard.bytes).toBe(WINDOW - 1);
  expect(heard.chunks.length).toBeLessThan(WINDOW / 8192 + 2);
});

test('what both sides have finished is read to its end after the tunnel is gone', async () => {
  const { client, server } = tunnelPair({
    client: {
      onStream: (stream) => {
        void stream.write(new Uint8Array(200_000));
        stream.finish();
      },
    },
  });
  const stream = mustOpen(server.mux);
  stream.finish();
  await settled();
  client.mux.end(1000, 'over');
  await settled();
  const heard = recordingReader(stream);
  expect([heard.bytes, heard.ended, heard.resets]).toEqual([200_000, true, []]);
});

test('two tunnels joined pass on that a reader stalls', async () => {
  const device = tunnelPair({ client: { onStream: (stream) => void pour(stream) } });
  const visitor = tunnelPair({
    server: {
      onStream: (stream) =>
        joinStreams(stream, mustOpen(device.server.mux), { answered: () => answers++, over: () => overs++ }),
    },
  });
  let [poured, answers, overs] = [0, 0, 0];
  async function pour(stream: TunnelStream): Promise<void> {
    while (stream.isWritable) {
      const room = stream.write(new Uint8Array(FRAME));
      poured += FRAME;
      if (room !== undefined) await room;
    }
  }
  const stream = mustOpen(visitor.client.mux);
  const heard = recordingReader(stream, { hold: true });
  void stream.write(Buffer.from('go'));
  await settled();
  const stalledAt = poured;
  await settled();
  expect(poured).toBe(stalledAt);
  expect(poured).toBeLessThan(4 * WINDOW);
  expect(device.server.mux.bufferedBytes).toBeLessThan(2 * WINDOW);
  stream.consumed(heard.bytes);
  await settled();
  stream.consumed(heard.bytes);
  await settled();
  expect(poured).toBeGreaterThan(stalledAt);
  expect([answers > 1, overs]).toEqual([true, 0]);
  stream.reset();
  await settled();
  expect(overs).toBeGreaterThan(0);
  for (const { mux } of [device.client, device.server, visitor.client, visitor.server]) {
    expect([mux.streams.size, mux.bufferedBytes]).toEqual([0, 0]);
  }
});

test('a body is written at the speed of the tunnel; one that fails resets the stream', async () => {
  const tunnel = rawTunnel();
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += FRAME;
      controller.enqueue(new Uint8Array(FRAME));
    },
  });
  const stream = mustOpen(tunnel.mux);
  const written = writeBody(stream, endless);
  await settled();
  expect(pulled).toBeLessThan(2 * WINDOW);
  stream.reset();
  await written;

  const failing = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(5));
      controller.error(new Error('the disk is gone'));
    },
  });
  const other = mustOpen(tunnel.mux);
  await tunnel.sent();
  await writeBody(other, failing);
  expect((await tunnel.sent()).at(-1)).toMatchObject({ flags: RST, id: other.id });

  const short = mustOpen(tunnel.mux);
  await writeBody(short, new Response('hello').body ?? expect.unreachable());
  expect((await tunnel.sent()).at(-1)).toMatchObject({ flags: FIN, id: short.id });
});

test('pings measure the way there and back; those that nobody answers are given up', async () => {
  const tunnel = rawTunnel();
  const pinged = tunnel.mux.ping();
  const [ping] = await tunnel.sent();
  await tunnel.clock.advance(25);
  tunnel.mux.receive(pingFrame(ACK, ping?.length ?? 0));
  expect(await pinged).toBe(25);
  const lost = Array.from({ length: 9 }, () => tunnel.mux.ping().catch((error: Error) => error.message));
  expect(await lost[0]).toBe('a ping was not answered');
  tunnel.mux.lost(1006, 'gone');
  expect(new Set(await Promise.all(lost.slice(1)))).toEqual(new Set(['the tunnel has ended']));
  expect(await tunnel.mux.ping().catch((error: Error) => error.message)).toBe('the tunnel has ended');
});

test('going away: nothing new is taken, what is open goes on', async () => {
  let told = 0;
  const { client, server } = tunnelPair({
    client: { onStream: (stream) => void recordingReader(stream), onGoAway: () => void told++ },
  });
  const stream = mustOpen(server.mux);
  await settled();
  server.mux.goAway();
  server.mux.goAway();
  await settled();
  expect(told).toBe(1);
  expect([client.mux.isOpen, server.mux.isOpen]).toEqual([false, false]);
  expect([client.mux.open(), server.mux.open()]).toEqual([undefined, undefined]);
  void stream.write(Buffer.from('still here'));
  await settled();
  expect(client.mux.streams.get(stream.id)?.stats.bytesIn).toBe(10);
  server.mux.end(1000, 'over');
  await settled();
  expect([client.ends, server.ends]).toMatchObject([[{ kind: 'lost' }], [{ kind: 'local', code: 1000 }]]);
  expect(client.mux.streams.size).toBe(0);
});

test('what a reader keeps of what it consumed counts until it is over, and whoever keeps most is cut', async () => {
  const tunnel = rawTunnel({ onStream: () => undefined, limits: { memoryBytes: 1024 * 1024 } });
  for (const id of [1, 3]) tunnel.mux.receive(creditFrame(id, SYN, 0));
  const [one, other] = [...tunnel.mux.streams.values()];
  if (one === undefined || other === undefined) expect.unreachable();
  const heard = [one, other].map((stream) => recordingReader(stream));
  expect(one.keeps(100_000)).toBe(true);
  expect(one.keeps(600_000)).toBe(false);
  expect([tunnel.mux.bufferedBytes, one.stats.queuedBytes]).toEqual([600_000, 600_000]);
  expect(one.keeps(0)).toBe(true);
  other.keeps(700_000);
  one.keeps(400_000);
  expect(heard.map(({ resets }) => resets)).toEqual([[], ['memory']]);
  expect(tunnel.mux.bufferedBytes).toBe(400_000);
  // Too late to keep anything.
  other.keeps(700_000);
  one.finish();
  tunnel.mux.receive(dataFrame(1, FIN, ''));
  await settled();
  one.keeps(400_000);
  expect([tunnel.mux.streams.size, tunnel.mux.bufferedBytes]).toEqual([0, 0]);
});

test('heads that are never finished count, and do not any more once they are', () => {
  const tunnel = rawTunnel({
    onStream: (stream) =>
      readHead(stream, decodeRequestHead, {
        head: () => ({
          data: ({ length }) => stream.consumed(length),
          end: () => undefined,
          reset: () => undefined,
        }),
        bad: () => undefined,
        reset: () => undefined,
      }),
  });
  const head = encodeRequestHead({ kind: 'tcp', service: 'ssh' });
  tunnel.mux.receive(dataFrame(1, SYN, head.subarray(0, 20)));
  expect(tunnel.mux.bufferedBytes).toBe(20);
  tunnel.mux.receive(dataFrame(1, 0, head.subarray(20)));
  expect(tunnel.mux.bufferedBytes).toBe(0);
});

test('a head may come byte by byte, and what follows it with the last', () => {
  const heads: unknown[] = [];
  const tunnel = rawTunnel({
    onStream: (stream) =>
      readHead(stream, (text) => text.length, {
        head: (length) => {
          heads.push(length);
          return { data: (chunk) => heads.push(chunk.length), end: () => undefined, reset: () => undefined };
        },
        bad: () => undefined,
        reset: () => undefined,
      }),
  });
  tunnel.mux.receive(dataFrame(1, SYN, ''));
  for (const byte of [0, 0, 0xff, 0xff]) tunnel.mux.receive(dataFrame(1, 0, Uint8Array.of(byte)));
  const one = dataFrame(1, 0, ' ');
  for (let at = 0; at < 0xfffe; at++) tunnel.mux.receive(one.slice());
  expect([tunnel.mux.bufferedBytes, heads]).toEqual([0xffff + 3, []]);
  tunnel.mux.receive(dataFrame(1, 0, '  rest'));
  expect(heads).toEqual([0xffff, 5]);
});
