import { describe, expect, test } from 'bun:test';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';
import { systemClock } from '../../../src/lib/clock.ts';
import { HEADER_BYTES } from '../../../src/tunnel/constants.ts';
import { readUint32 } from '../../../src/tunnel/frame.ts';
import { DEFAULT_MUX_LIMITS, type Mux, type MuxEnd, type TunnelStream } from '../../../src/tunnel/model.ts';
import { openMux } from '../../../src/tunnel/mux.ts';
import { mustOpen, recordingReader } from '../../support/tunnel.ts';
import { until } from '../../support/until.ts';

const MEBIBYTE = 1024 * 1024;

/** Ours on one end of a connection, the other implementation on the other one. */
function meeting(ourRole: 'client' | 'server', onStream: (stream: TunnelStream) => void = echo) {
  const [outbound, inbound] = multiaddrConnectionPair();
  const [ours, theirs] = ourRole === 'client' ? [outbound, inbound] : [inbound, outbound];
  const ends: MuxEnd[] = [];
  const mux = openMux({
    role: ourRole,
    clock: systemClock,
    // The other implementation fills a whole window with one frame.
    limits: { ...DEFAULT_MUX_LIMITS, maxFrameBytes: 16 * MEBIBYTE },
    onStream,
    onEnd: (end) => ends.push(end),
    transport: {
      send: (frame) => ours.send(frame.slice()),
      close: () => void ours.close(),
    },
  });
  const frames = frameSplitter(mux);
  ours.addEventListener('message', ({ data }) => frames(data.subarray()));
  ours.addEventListener('drain', () => mux.drained());
  ours.addEventListener('close', () => mux.lost(1006, 'closed'));
  const peer = yamux({ enableKeepAlive: false })().createStreamMuxer(theirs);
  return { mux, ends, peer };
}

/** The other implementation runs over a stream of bytes: a message may be half a frame, or several. */
function frameSplitter(mux: Mux): (bytes: Uint8Array) => void {
  let held = Buffer.alloc(0);
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + (held[1] === 0 ? readUint32(held, 8) : 0);
      if (held.length < end) return;
      mux.receive(new Uint8Array(held.subarray(0, end)));
      held = held.subarray(end);
    }
  };
}

function echo(stream: TunnelStream): void {
  stream.read({
    data(chunk) {
      const room = stream.write(chunk);
      if (room === undefined) stream.consumed(chunk.length);
      else void room.then(() => stream.consumed(chunk.length));
    },
    end: () => stream.finish(),
    reset: () => undefined,
  });
}

function letters(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + seed * 7 + (at >> 10)) & 0xff);
}

describe.each(['client', 'server'] as const)('we as the %s', (ourRole) => {
  test('they open streams, and hear what they said', async () => {
    const { mux, ends, peer } = meeting(ourRole);
    const one = async (seed: number) => {
      const stream = await peer.createStream();
      const said = letters(seed * 150_000 + seed, seed);
      const heard: Uint8Array[] = [];
      const done = Promise.withResolvers<void>();
      stream.addEventListener('message', ({ data }) => heard.push(data.subarray()));
      stream.addEventListener('end', () => done.resolve());
      for (let at = 0; at < said.length; at += 60_000) {
        if (!stream.send(said.subarray(at, at + 60_000))) await stream.onDrain();
      }
      await stream.close();
      await done.promise;
      expect(Bun.hash(Buffer.concat(heard))).toBe(Bun.hash(said));
    };
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(one));
    expect(ends).toEqual([]);
    await until('the other side has come so far', () => mux.streams.size === 0);
    expect(mux.bufferedBytes).toBe(0);
  });

  test('we open streams, and hear what we said', async () => {
    const { mux, ends, peer } = meeting(ourRole);
    peer.addEventListener('stream', ({ detail: stream }) => {
      stream.addEventListener('message', ({ data }) => void stream.send(data));
      stream.addEventListener('end', () => void stream.close());
    });
    const one = async (seed: number) => {
      const stream = mustOpen(mux);
      const said = letters(seed * 150_000 + seed, seed);
      const heard = recordingReader(stream);
      for (let at = 0; at < said.length; at += 60_000) await stream.write(said.subarray(at, at + 60_000));
      stream.finish();
      await heard.done.promise;
      expect(heard.resets).toEqual([]);
      expect(Bun.hash(Buffer.concat(heard.chunks))).toBe(Bun.hash(said));
    };
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(one));
    expect(ends).toEqual([]);
    await until('the other side has come so far', () => mux.streams.size === 0);
  });

  test('resets go both ways', async () => {
    const { mux, peer } = meeting(ourRole);
    const theirs = Promise.withResolvers<string>();
    peer.addEventListener('stream', ({ detail: stream }) => {
      stream.addEventListener('close', ({ error }) => theirs.resolve(error?.name ?? 'no error'));
    });
    const stream = mustOpen(mux);
    void stream.write(Buffer.from('hello'));
    await until('the other side has come so far', () => peer.streams.length === 1);
    stream.reset();
    expect(await theirs.promise).toBe('StreamResetError');

    const other = await peer.createStream();
    other.send(Buffer.from('hello'));
    await until('the other side has come so far', () => mux.streams.size === 1);
    const [accepted] = mux.streams.values();
    const heard = recordingReader(accepted ?? expect.unreachable());
    other.abort(new Error('enough'));
    await heard.done.promise;
    expect(heard.resets).toEqual(['remote']);
  });

  test('a reader of ours that stalls holds their writer, until it reads', async () => {
    const accepted = Promise.withResolvers<TunnelStream>();
    const { mux, ends, peer } = meeting(ourRole, accepted.resolve);
    const stream = await peer.createStream();
    stream.send(letters(MEBIBYTE, 1));
    void stream.close();
    const ours = await accepted.promise;
    const heard = recordingReader(ours, { hold: true });
    await until('the other side has come so far', () => ours.stats.receiveWindow === 0);
    expect(mux.bufferedBytes).toBe(256 * 1024);
    let consumed = 0;
    await until('all was read', () => {
      const taken = heard.bytes - consumed;
      consumed += taken;
      ours.consumed(taken);
      return heard.ended;
    });
    expect(Bun.hash(Buffer.concat(heard.chunks))).toBe(Bun.hash(letters(MEBIBYTE, 1)));
    expect(ends).toEqual([]);
  });

  test('pings are answered both ways, and going away is understood', async () => {
    const { mux, ends, peer } = meeting(ourRole);
    expect(await mux.ping()).toBeGreaterThanOrEqual(0);
    expect(await peer.ping()).toBeGreaterThanOrEqual(0);
    await peer.close();
    await until('the other side has come so far', () => !mux.isOpen);
    expect(mux.open()).toBeUndefined();
    expect(ends.every(({ kind }) => kind === 'lost')).toBe(true);

    const other = meeting(ourRole);
    other.mux.end(1000, 'over');
    await until('the other side has come so far', () => other.peer.status === 'closed');
  });
});
