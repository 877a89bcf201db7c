import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { HEADER_BYTES } from '../../src/tunnel/constants.ts';
import { controlFrame } from '../../src/tunnel/frame.ts';
import type { TunnelStream } from '../../src/tunnel/model.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';
import { dataFrame, type RawTunnel, rawTunnel } from '../support/raw-tunnel.ts';
import { recordingReader } from '../support/tunnel.ts';

/** What may wait in the tunnels here; a window of one stream alone is four times as much. */
const MEMORY_BYTES = 64 * 1024;

const flags = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(0, 1, 2, 4, 8, 5, 9) }, fc.nat({ max: 255 }));
const id = fc.oneof({ weight: 8, arbitrary: fc.nat({ max: 9 }) }, fc.nat({ max: 2 ** 32 - 1 }));
const length = fc.oneof(fc.nat({ max: 300_000 }), fc.nat({ max: 2 ** 32 - 1 }));
const data = fc.record({ id, flags, size: fc.nat({ max: 16_500 }) });
const control = fc.record({ type: fc.nat({ max: 4 }), flags, id, length });

type Step = { frame: Uint8Array | string } | { act: (tunnel: RawTunnel, streams: TunnelStream[]) => void };

const frame = fc.oneof(
  data.map(({ id, flags, size }) => dataFrame(id, flags, new Uint8Array(size))),
  control.map(({ type, flags, id, length }) => controlFrame(type, flags, id, length)),
  fc.uint8Array({ maxLength: 40 }),
  // A frame that one bit makes another.
  fc.tuple(data, fc.nat({ max: HEADER_BYTES * 8 - 1 })).map(([{ id, flags, size }, bit]) => {
    const bytes = dataFrame(id, flags, new Uint8Array(size));
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return bytes;
  }),
);
const act = fc
  .record({ what: fc.nat({ max: 6 }), which: fc.nat(), size: fc.nat({ max: 40_000 }) })
  .map(({ what, which, size }): Step => {
    const acts: ((stream: TunnelStream, tunnel: RawTunnel) => void)[] = [
      (stream) => void stream.write(new Uint8Array(size)),
      (stream) => stream.finish(),
      (stream) => stream.reset(),
      (stream) => stream.consumed(size),
      (_stream, { mux }) => void mux.open(),
      (_stream, tunnel) => void (tunnel.full = !tunnel.full),
      (_stream, { mux }) => mux.goAway(),
    ];
    return {
      act(tunnel, streams) {
        const stream = streams[which % Math.max(1, streams.length)];
        if (stream !== undefined) acts[what]?.(stream, tunnel);
      },
    };
  });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: frame.map((bytes) => ({ frame: bytes })) },
  { weight: 1, arbitrary: act },
);

test('whatever arrives, the tunnel lives on within its bounds or ends once, and never by a bug', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const streams: TunnelStream[] = [];
      const tunnel = rawTunnel({
        limits: { streams: 4, memoryBytes: MEMORY_BYTES },
        onStream(stream) {
          streams.push(stream);
          recordingReader(stream, { hold: stream.id % 4 === 1 });
        },
      });
      for (const one of steps) {
        if ('frame' in one) tunnel.mux.receive(one.frame);
        else one.act(tunnel, streams);
        expect(tunnel.mux.bufferedBytes).toBeLessThanOrEqual(MEMORY_BYTES);
        expect(tunnel.mux.bufferedBytes).toBeGreaterThanOrEqual(0);
        expect(tunnel.mux.streams.size).toBeLessThanOrEqual(4);
      }
      for (const { data, type, length } of await tunnel.sent()) {
        expect(type).toBeLessThanOrEqual(3);
        if (type === 0) expect(data.length).toBe(length);
      }
      expect(tunnel.ends.length).toBeLessThanOrEqual(1);
      expect(tunnel.closes).toHaveLength(tunnel.ends.filter(({ kind }) => kind !== 'lost').length);
      expect(tunnel.ends.map(({ kind }) => kind)).not.toContain('internal');
      tunnel.mux.end(1000, 'over');
      expect(tunnel.mux.streams.size).toBe(0);
    }),
    { numRuns: FUZZ_CASES },
  );
}, 600_000);
