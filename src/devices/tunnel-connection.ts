import type { Clock } from '../lib/clock.ts';
import type { SessionId } from '../sessions/model.ts';
import { CloseCode, HEADER_BYTES } from '../tunnel/constants.ts';
import type { Mux, MuxEnd, MuxLimits, TunnelStream } from '../tunnel/model.ts';
import { openMux } from '../tunnel/mux.ts';
import { TokenBucket } from '../tunnel/token-bucket.ts';
import type { DeviceId } from './model.ts';
import { type Carried, OpenStream, type StreamPatience } from './open-stream.ts';

/** Our end of the WebSocket that a tunnel runs over. */
export interface TunnelSocket {
  /** −1: taken, and it will be told when there is room again; 0: not taken. */
  sendBinary(frame: Uint8Array<ArrayBuffer>): number;
  cork(run: () => void): void;
  close(code: number, reason: string): void;
}

/** Who dialled. */
export interface TunnelPeer {
  readonly deviceId: DeviceId;
  readonly sessionId: SessionId;
  readonly address: string;
  /** What the agent calls itself, cut to a length that is fit to keep. */
  readonly userAgent: string | undefined;
  /** One run of one agent, where it says so: a copy of the key elsewhere does not know it. */
  readonly instance: string | undefined;
}

export interface TunnelTiming extends StreamPatience {
  heartbeatIntervalMs: number;
  /** Silence after which the device is taken for gone. */
  heartbeatTimeoutMs: number;
  /** How often it is written that the device is there. */
  seenIntervalMs: number;
}

export interface TunnelDeps {
  clock: Clock;
  limits: MuxLimits;
  timing: TunnelTiming;
  /** The socket is open: it may carry streams from now on. */
  onOpened: (tunnel: TunnelConnection) => void;
  onEnded: (tunnel: TunnelConnection, cause: MuxEnd) => void;
  /** The device was heard; called at most every `seenIntervalMs`, and at the end. */
  onSeen: (id: SessionId) => void;
}

/** One connection of one device: the mux over it, whether it still answers, and what is open in it. */
export class TunnelConnection {
  readonly peer: TunnelPeer;
  /** Of two connections of one device the one with the higher number is the newer one. */
  readonly generation: number;
  /** Epoch milliseconds. */
  readonly connectedAt: number;
  /** Longer messages than a frame close the socket. */
  readonly maxMessageBytes: number;
  /** Milliseconds to the device and back, when it was last measured. */
  roundTripMs: number | undefined;

  readonly #deps: TunnelDeps;
  readonly #opens: TokenBucket;
  readonly #streams = new Map<TunnelStream, OpenStream>();
  #mux: Mux | undefined;
  /** It was ended before its socket opened. */
  #early: { code: number; reason: string } | undefined;
  #whenEmpty: (() => void) | undefined;
  #bytesIn = 0;
  #bytesOut = 0;
  /** Whether anything came since the last round: asking the clock for each frame would cost more than the frame. */
  #wasHeard = true;
  #heardAt: number;
  #heardAtEpoch: number;
  #pingAt: number;
  #seenAt: number;

  constructor(peer: TunnelPeer, generation: number, deps: TunnelDeps) {
    const { clock, limits } = deps;
    this.peer = peer;
    this.generation = generation;
    this.#deps = deps;
    this.#opens = new TokenBucket(clock, {
      capacity: limits.opensPerSecond,
      perSecond: limits.opensPerSecond,
    });
    this.maxMessageBytes = HEADER_BYTES + limits.maxFrameBytes;
    this.connectedAt = this.#heardAtEpoch = clock.now();
    this.#heardAt = this.#pingAt = this.#seenAt = clock.monotonicNow();
  }

  // What the socket says.

  opened(socket: TunnelSocket): void {
    const { clock, limits, onEnded, onOpened, onSeen } = this.#deps;
    this.#mux = openMux({
      role: 'server',
      transport: {
        send: (frame) => socket.sendBinary(frame as Uint8Array<ArrayBuffer>) > 0,
        // What the requests of many visitors have come to by then leaves in one packet.
        later: (run) => void setImmediate(run),
        cork: (run) => socket.cork(run),
        close: (code, reason) => socket.close(code, reason),
      },
      clock,
      limits,
      onEnd: (cause) => {
        if (cause.code !== CloseCode.revoked) onSeen(this.peer.sessionId);
        onEnded(this, cause);
      },
    });
    if (this.#early === undefined) onOpened(this);
    else this.#mux.end(this.#early.code, this.#early.reason);
  }

  message(message: string | Uint8Array): void {
    this.#wasHeard = true;
    this.#mux?.receive(message);
  }

  drained(): void {
    this.#mux?.drained();
  }

  closed(code: number, reason: string): void {
    this.#mux?.lost(code, reason);
  }

  // What the hub asks.

  /** Whether streams may be opened, limits aside. */
  get isOpen(): boolean {
    return this.#mux?.isOpen ?? false;
  }

  get bufferedBytes(): number {
    return this.#mux?.bufferedBytes ?? 0;
  }

  /** Whether anything came since the last round. */
  get hasAnswered(): boolean {
    return this.#wasHeard;
  }

  /** Epoch milliseconds, as of the last round. */
  get lastHeardAt(): number {
    return this.#heardAtEpoch;
  }

  /** Bytes of streams that are over; those that are open tell their own. */
  get bytesOfEnded(): { in: number; out: number } {
    return { in: this.#bytesIn, out: this.#bytesOut };
  }

  get streams(): readonly OpenStream[] {
    return [...this.#streams.values()];
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** A new stream for what is to be carried; `undefined` when there are as many as there may be. */
  open(carried: Carried): OpenStream | undefined {
    const stream = this.#opens.take() ? this.#mux?.open() : undefined;
    if (stream === undefined) return undefined;
    const open = new OpenStream(stream, carried, this.#deps.timing, () => this.#forget(open));
    this.#streams.set(stream, open);
    return open;
  }

  /** Looks whether the device is still there, and whether anything in the tunnel waits in vain. */
  round(): void {
    const { clock, timing, onSeen } = this.#deps;
    const now = clock.monotonicNow();
    if (this.#wasHeard) {
      this.#wasHeard = false;
      this.#heardAt = now;
      this.#heardAtEpoch = clock.now();
    }
    if (now - this.#heardAt >= timing.heartbeatTimeoutMs) return this.end(CloseCode.timeout, 'silent');
    if (now >= this.#pingAt) this.#ping(now);
    if (now - this.#seenAt >= timing.seenIntervalMs && this.#heardAt === now) {
      this.#seenAt = now;
      onSeen(this.peer.sessionId);
    }
    for (const stream of this.#streams.values()) stream.round(now);
  }

  /** Takes nothing new, cuts what would stay for ever, and ends once the rest has come to its end. */
  drain(code: number, reason: string): void {
    this.#mux?.goAway();
    this.#whenEmpty = () => this.end(code, reason);
    for (const stream of this.streams) if (stream.isEndless) stream.cut('going_away');
    this.#endIfEmpty();
  }

  end(code: number, reason: string): void {
    if (this.#mux === undefined) this.#early ??= { code, reason };
    else this.#mux.end(code, reason);
  }

  #ping(now: number): void {
    this.#pingAt = now + this.#deps.timing.heartbeatIntervalMs;
    void this.#measure();
  }

  async #measure(): Promise<void> {
    try {
      this.roundTripMs = await this.#mux?.ping();
    } catch {
      // The tunnel has ended, or the next round will see that nothing came.
    }
  }

  #forget(open: OpenStream): void {
    const { stream } = open;
    if (!this.#streams.delete(stream)) return;
    const { bytesIn, bytesOut } = stream.stats;
    this.#bytesIn += bytesIn;
    this.#bytesOut += bytesOut;
    // Not in the middle of what its mux is doing.
    if (this.#whenEmpty !== undefined) queueMicrotask(() => this.#endIfEmpty());
  }

  #endIfEmpty(): void {
    if (this.#streams.size === 0) this.#whenEmpty?.();
  }
}
