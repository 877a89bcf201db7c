import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { TunnelStream } from '../../src/tunnel/model.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';
import { type TunnelSide, tunnelPair } from '../support/tunnel.ts';

/**
 * Two muxes do what a list of steps says, and a model follows: what one side wrote into a stream the other side hears,
 * in order and whole, unless somebody reset it; nothing is left over at the end.
 */

/** One direction of one stream, as it should be. */
interface Direction {
  written: number;
  finished: boolean;
  heard: number;
  ended: boolean;
  /** The reader has it and has not said that it consumed it. */
  unconsumed: number;
}

interface Half {
  stream: TunnelStream;
  /** What this half hears. */
  heard: Direction;
  resets: number;
}

interface Modelled {
  halves: Half[];
  wasReset: boolean;
}

const step = fc.record({
  what: fc.constantFrom(
    'open',
    'write',
    'write',
    'write',
    'finish',
    'consume',
    'consume',
    'reset',
    'full',
    'wait',
  ),
  /** Which side acts. */
  side: fc.nat({ max: 1 }),
  which: fc.nat({ max: 5 }),
  size: fc.oneof(fc.nat({ max: 2000 }), fc.nat({ max: 400_000 })),
});

/** A byte of a stream at some place: what was written is recognised by it. */
const byteAt = (stream: number, at: number) => (stream * 89 + at * 7 + (at >> 9)) & 0xff;

function bytesFrom(stream: number, start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => byteAt(stream, start + at));
}

const settled = async () => {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
};

test('what is written is heard, whole and in order, or the stream was reset', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const streams = new Map<number, Modelled>();
      const add = (stream: TunnelStream): Half => {
        const modelled = streams.get(stream.id) ?? { halves: [], wasReset: false };
        streams.set(stream.id, modelled);
        const half: Half = { stream, heard: direction(), resets: 0 };
        modelled.halves.push(half);
        listen(half, modelled);
        return half;
      };
      const halves: Half[][] = [[], []];
      const pair = tunnelPair({
        client: { onStream: (stream) => void halves[0]?.push(add(stream)) },
        server: { onStream: (stream) => void halves[1]?.push(add(stream)) },
      });
      const sides: TunnelSide[] = [pair.client, pair.server];
      const written = new Map<TunnelStream, Direction>();

      for (const { what, side, which, size } of steps) {
        const [mux, own] = [sides[side], halves[side]];
        if (mux === undefined || own === undefined) continue;
        const half = own[which % Math.max(1, own.length)];
        if (what === 'open') {
          const stream = mux.mux.open();
          if (stream !== undefined) own.push(add(stream));
        } else if (what === 'full') mux.full = !mux.full;
        else if (what === 'wait') await settled();
        else if (half !== undefined) act(what, size, half, streams, written);
      }
      for (const side of sides) side.full = false;
      // Readers that held back read on, writers finish, until everything has gone through.
      for (let round = 0; round < 30; round++) {
        await settled();
        for (const half of halves.flat()) {
          act('consume', Number.MAX_SAFE_INTEGER, half, streams, written);
          act('finish', 0, half, streams, written);
        }
      }
      for (const [id, { halves: both, wasReset }] of streams) check(id, both, wasReset, written);
      expect([...pair.client.ends, ...pair.server.ends]).toEqual([]);
      expect([pair.client.mux.streams.size, pair.server.mux.streams.size]).toEqual([0, 0]);
      expect([pair.client.mux.bufferedBytes, pair.server.mux.bufferedBytes]).toEqual([0, 0]);
    }),
    { numRuns: Math.ceil(FUZZ_CASES / 20) },
  );
}, 600_000);

function direction(): Direction {
  return { written: 0, finished: false, heard: 0, ended: false, unconsumed: 0 };
}

function listen(half: Half, modelled: Modelled): void {
  const { stream, heard } = half;
  stream.read({
    data(chunk) {
      expect(heard.ended).toBe(false);
      expect(chunk.length).toBeGreaterThan(0);
      const wrong = chunk.findIndex((byte, at) => byte !== byteAt(stream.id, heard.heard + at));
      expect(wrong).toBe(-1);
      heard.heard += chunk.length;
      heard.unconsumed += chunk.length;
    },
    end() {
      expect(heard.ended).toBe(false);
      heard.ended = true;
    },
    reset() {
      half.resets++;
      modelled.wasReset = true;
    },
  });
}

function act(
  what: string,
  size: number,
  half: Half,
  streams: Map<number, Modelled>,
  written: Map<TunnelStream, Direction>,
): void {
  const { stream, heard } = half;
  const said = written.get(stream) ?? direction();
  written.set(stream, said);
  if (what === 'write' && stream.isWritable) {
    void stream.write(bytesFrom(stream.id, said.written, size));
    said.written += size;
  } else if (what === 'finish' && stream.isWritable) {
    stream.finish();
    said.finished = true;
  } else if (what === 'consume') {
    const taken = Math.min(size, heard.unconsumed);
    heard.unconsumed -= taken;
    stream.consumed(taken);
  } else if (what === 'reset') {
    const modelled = streams.get(stream.id);
    stream.reset();
    if (half.resets > 0 && modelled !== undefined) modelled.wasReset = true;
  }
}

function check(
  id: number,
  both: readonly Half[],
  wasReset: boolean,
  written: Map<TunnelStream, Direction>,
): void {
  for (const half of both) expect(half.resets).toBeLessThanOrEqual(1);
  if (wasReset) return;
  expect({ id, sides: both.length }).toEqual({ id, sides: 2 });
  for (const half of both) {
    const other = both.find((one) => one !== half);
    const said = other === undefined ? undefined : written.get(other.stream);
    expect({ heard: half.heard.heard, ended: half.heard.ended }).toEqual({
      heard: said?.written ?? 0,
      ended: true,
    });
  }
}
