/** What carries frames: one WebSocket on either side. One call is one binary message, and one frame. */
export interface FrameTransport {
  /**
   * False: full, and `mux.drained()` follows; the frame was taken all the same.
   * The memory of `frame` is used again once this returns: what has to wait is copied.
   */
  send(frame: Uint8Array): boolean;
  /** Runs what sends in a moment, so that more can leave together; without it, it is run at the end of the turn. */
  later?(run: () => void): void;
  /** Runs what sends several frames, so that they can leave in one packet. */
  cork?(run: () => void): void;
  close(code: number, reason: string): void;
}

export interface MuxLimits {
  /** Streams that are open at one time, of both sides together. */
  readonly streams: number;
  /** Streams that the other side may open in a second, once it has used up as many in advance. */
  readonly opensPerSecond: number;
  /** What a stream's window may grow to, in bytes; it begins at 256 KiB. */
  readonly maxWindowBytes: number;
  /** What may wait in memory for slow readers and writers of all streams, in bytes. */
  readonly memoryBytes: number;
  /** The longest frame that is taken, in bytes of data. */
  readonly maxFrameBytes: number;
}

export const DEFAULT_MUX_LIMITS: MuxLimits = {
  streams: 1024,
  opensPerSecond: 1000,
  maxWindowBytes: 4 * 1024 * 1024,
  memoryBytes: 16 * 1024 * 1024,
  maxFrameBytes: 16 * 1024,
};

/** Why a mux is over. */
export interface MuxEnd {
  /** `local`: `end` was called; `remote`: the other side went away with an error; `lost`: the transport closed. */
  readonly kind: 'local' | 'remote' | 'lost' | 'protocol' | 'flood' | 'internal';
  /** The close code of the WebSocket. */
  readonly code: number;
  /** In words, for logs; never what the other side sent. */
  readonly reason: string;
  /** What was thrown, where a bug ended it. */
  readonly error?: unknown;
}

/** Who ended a stream before its time: the other side, this one, the bound on memory, or the end of the tunnel. */
export type ResetReason = 'remote' | 'local' | 'memory' | 'tunnel';

/** Is told what arrives; calls come one at a time and must not throw. */
export interface StreamReader {
  /** The bytes are the reader's to keep; `stream.consumed(chunk.length)` once they have gone on. */
  data(chunk: Uint8Array): void;
  /** The other side has said everything. */
  end(): void;
  /** The stream is over, whoever ended it; at most once, possibly after `end`. Never after both sides have finished. */
  reset(reason: ResetReason): void;
}

export interface StreamStats {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What may still be sent and received before the next window update, in bytes. */
  readonly sendWindow: number;
  readonly receiveWindow: number;
  /** What waits here, in bytes: written and not sent, or received and not consumed. */
  readonly queuedBytes: number;
}

export interface TunnelStream {
  readonly id: number;
  /** Epoch milliseconds. */
  readonly openedAt: number;
  readonly stats: StreamStats;
  /** Whether something written still goes out: not finished by this side, nor reset. */
  readonly isWritable: boolean;
  /**
   * Takes `data` over; it must not be changed afterwards. Undefined: go on at once; a promise: when there is room again.
   * It never rejects: it resolves too when the stream is reset, of which the reader hears. Nothing happens once the stream is not writable.
   */
  write(data: Uint8Array): Promise<void> | undefined;
  /** Nothing more will be written. */
  finish(): void;
  /** Ends both directions at once and forgets what waits; the other side is told. */
  reset(): void;
  /** Where what arrives goes, from now on; what came before is handed over at once. */
  read(reader: StreamReader): void;
  /** Returns credit to the sender. */
  consumed(bytes: number): void;
  /**
   * How much the reader holds of what it has consumed, in bytes, as of now: an unfinished message, what waits in its own
   * socket. It counts as what waits here does. False: much waits in this tunnel already, so better hold less.
   */
  keeps(bytes: number): boolean;
}

export interface Mux {
  /** One message of the transport. */
  receive(message: Uint8Array | string): void;
  /** The transport has room again. */
  drained(): void;
  /** The transport has closed by itself. */
  lost(code: number, reason: string): void;
  /** A new stream; what is written to it in this turn goes out with its announcement. Undefined when none may be opened. */
  open(): TunnelStream | undefined;
  /** The time to the other side and back, in milliseconds. Rejects when the tunnel ends first. */
  ping(): Promise<number>;
  /** Takes no new streams from now on; those that are open go on. */
  goAway(): void;
  /** Closes the transport, which tells the other side why, and resets every stream. */
  end(code: number, reason: string): void;
  /** Whether streams may be opened, limits aside: it has not ended, and nobody has gone away. */
  readonly isOpen: boolean;
  readonly streams: ReadonlyMap<number, TunnelStream>;
  /** What waits in memory for slow readers and writers, in bytes. */
  readonly bufferedBytes: number;
}
