import { Flag, FrameType, HEADER_BYTES } from '../../src/tunnel/constants.ts';
import { controlFrame, readUint16, readUint32, writeHeader } from '../../src/tunnel/frame.ts';
import { DEFAULT_MUX_LIMITS, type Mux, type MuxEnd, type MuxLimits } from '../../src/tunnel/model.ts';
import { type MuxOptions, openMux } from '../../src/tunnel/mux.ts';
import { ManualClock } from './manual-clock.ts';

/** A frame as it was sent, taken apart. */
export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly length: number;
  readonly data: Uint8Array;
}

/** A mux whose other side is a test that writes frames by hand. */
export interface RawTunnel {
  readonly mux: Mux;
  readonly clock: ManualClock;
  readonly ends: MuxEnd[];
  readonly closes: number[];
  /** What the mux has sent since the last time. */
  sent(): Promise<SeenFrame[]>;
  /** Whether its transport takes frames at once; set to false, they are taken and counted as waiting. */
  full: boolean;
}

export function rawTunnel(
  options: Partial<Pick<MuxOptions, 'role' | 'onStream' | 'onGoAway'>> & { limits?: Partial<MuxLimits> } = {},
): RawTunnel {
  const ends: MuxEnd[] = [];
  const closes: number[] = [];
  const clock = new ManualClock();
  let frames: SeenFrame[] = [];
  let full = false;
  const mux = openMux({
    role: 'server',
    ...options,
    clock,
    limits: { ...DEFAULT_MUX_LIMITS, ...options.limits },
    onEnd: (end) => ends.push(end),
    transport: {
      send(frame) {
        frames.push(takeApart(frame));
        return !full;
      },
      close: (code) => closes.push(code),
    },
  });
  return {
    mux,
    clock,
    ends,
    closes,
    async sent() {
      await Promise.resolve();
      const seen = frames;
      frames = [];
      return seen;
    },
    get full() {
      return full;
    },
    set full(value) {
      full = value;
      if (!value) mux.drained();
    },
  };
}

function takeApart(frame: Uint8Array): SeenFrame {
  return {
    type: frame[1] ?? -1,
    flags: readUint16(frame, 2),
    id: readUint32(frame, 4),
    length: readUint32(frame, 8),
    data: frame.slice(HEADER_BYTES),
  };
}

export function dataFrame(id: number, flags: number, data: Uint8Array | string): Uint8Array {
  const bytes = Buffer.from(data);
  const frame = new Uint8Array(HEADER_BYTES + bytes.length);
  writeHeader(frame, FrameType.data, flags, id, bytes.length);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

export const creditFrame = (id: number, flags: number, credit: number) =>
  controlFrame(FrameType.windowUpdate, flags, id, credit);
export const pingFrame = (flags: number, value: number) => controlFrame(FrameType.ping, flags, 0, value);
export const goAwayFrame = (code: number) => controlFrame(FrameType.goAway, 0, 0, code);
export const { syn: SYN, ack: ACK, fin: FIN, rst: RST } = Flag;
