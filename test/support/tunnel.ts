import { type Clock, systemClock } from '../../src/lib/clock.ts';
import {
  DEFAULT_MUX_LIMITS,
  type FrameTransport,
  type Mux,
  type MuxEnd,
  type MuxLimits,
  type StreamReader,
  type TunnelStream,
} from '../../src/tunnel/model.ts';
import { type MuxOptions, openMux } from '../../src/tunnel/mux.ts';

/** One side of a tunnel in memory. */
export interface TunnelSide {
  readonly mux: Mux;
  readonly ends: MuxEnd[];
  /** Close codes that this side gave its transport. */
  readonly closes: number[];
  /** Whether its transport is full: frames are still taken, and go on once it is set to false. */
  full: boolean;
  /** Every frame that it sent. */
  readonly frames: Uint8Array[];
}

export interface TunnelPair {
  readonly client: TunnelSide;
  readonly server: TunnelSide;
}

type SideOptions = Partial<Pick<MuxOptions, 'onStream' | 'onGoAway' | 'clock' | 'endsWithData'>> & {
  limits?: Partial<MuxLimits>;
};

/** Two muxes whose frames reach each other in a later turn, in order; a `full` side's wait. */
export function tunnelPair(options: { client?: SideOptions; server?: SideOptions } = {}): TunnelPair {
  const pair: { client?: TunnelSide; server?: TunnelSide } = {};
  const client = tunnelSide('client', options.client ?? {}, () => pair.server?.mux);
  const server = tunnelSide('server', options.server ?? {}, () => pair.client?.mux);
  return Object.assign(pair, { client, server });
}

function tunnelSide(role: MuxOptions['role'], options: SideOptions, peer: () => Mux | undefined): TunnelSide {
  const waiting: Uint8Array[] = [];
  const ends: MuxEnd[] = [];
  const closes: number[] = [];
  const frames: Uint8Array[] = [];
  let full = false;
  const next = () => (full ? undefined : waiting.shift());
  const release = () => {
    for (let frame = next(); frame !== undefined; frame = next()) peer()?.receive(frame);
  };
  const transport: FrameTransport = {
    send(frame) {
      const copy = frame.slice();
      frames.push(copy);
      waiting.push(copy);
      queueMicrotask(release);
      return !full;
    },
    close(code) {
      closes.push(code);
      queueMicrotask(() => peer()?.lost(code, 'closed by the other side'));
    },
  };
  const clock: Clock = options.clock ?? systemClock;
  const mux = openMux({
    ...options,
    role,
    transport,
    clock,
    limits: { ...DEFAULT_MUX_LIMITS, ...options.limits },
    onEnd: (end) => ends.push(end),
  });
  return {
    mux,
    ends,
    closes,
    frames,
    get full() {
      return full;
    },
    set full(value) {
      full = value;
      if (value) return;
      release();
      mux.drained();
    },
  };
}

/** Opens a stream that must be there. */
export function mustOpen(mux: Mux): TunnelStream {
  const stream = mux.open();
  if (stream === undefined) throw new Error('no stream may be opened');
  return stream;
}

/** A reader that keeps what it heard; it consumes at once unless told to hold. */
export function recordingReader(stream: TunnelStream, options: { hold?: boolean } = {}) {
  const heard = {
    chunks: [] as Uint8Array[],
    ended: false,
    resets: [] as string[],
    get bytes() {
      return heard.chunks.reduce((sum, { length }) => sum + length, 0);
    },
    get text() {
      return Buffer.concat(heard.chunks).toString();
    },
    done: Promise.withResolvers<void>(),
  };
  const reader: StreamReader = {
    data(chunk) {
      heard.chunks.push(chunk);
      if (options.hold !== true) stream.consumed(chunk.length);
    },
    end() {
      heard.ended = true;
      heard.done.resolve();
    },
    reset(reason) {
      heard.resets.push(reason);
      heard.done.resolve();
    },
  };
  stream.read(reader);
  return Object.assign(heard, { reader });
}
