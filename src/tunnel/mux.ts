import type { Clock } from '../lib/clock.ts';
import { CloseCode, Flag, FrameType, GoAwayCode, HEADER_BYTES, INITIAL_WINDOW_BYTES } from './constants.ts';
import { controlFrame, readUint16, readUint32 } from './frame.ts';
import type { FrameTransport, Mux, MuxEnd, MuxLimits, TunnelStream } from './model.ts';
import { Pings } from './pings.ts';
import { RecentResets } from './recent-resets.ts';
import { SendLine } from './send-line.ts';
import { MuxStream, type StreamOwner } from './stream.ts';
import { TokenBucket } from './token-bucket.ts';

export interface MuxOptions {
  /** `client`: who dialled. Its streams have odd ids. */
  readonly role: 'client' | 'server';
  readonly transport: FrameTransport;
  readonly clock: Clock;
  readonly limits: MuxLimits;
  /**
   * The other side is this program too: the last data of a stream and its end share a frame, which saves a packet.
   * Other implementations of yamux lose data that comes with an end.
   */
  readonly endsWithData?: boolean;
  /** A stream that the other side opened; without it such streams are reset. */
  readonly onStream?: (stream: TunnelStream) => void;
  /** The other side takes no new streams. */
  readonly onGoAway?: () => void;
  /** Once, when it is over. */
  readonly onEnd: (cause: MuxEnd) => void;
}

/** Pings that are answered; one every few seconds is usual. */
const PINGS = { capacity: 64, perSecond: 8 };
/** Frames that do nothing, or come too late: a few are part of the protocol. */
const IDLE_FRAMES = { capacity: 4096, perSecond: 256 };
/** On one machine the two programs, not the line, decide how long an answer takes. */
const SHORTEST_ROUND_TRIP_MS = 1;
/** An id is a 32-bit number on the wire. */
const LARGEST_ID = 2 ** 32 - 1;

/** Streams over one transport, by yamux version 0, one frame a message. */
export function openMux(options: MuxOptions): Mux {
  return new YamuxMux(options);
}

class YamuxMux implements Mux, StreamOwner {
  readonly #options: MuxOptions;
  readonly #streams = new Map<number, MuxStream>();
  #nextId: number;
  #lastRemoteId = 0;
  #goneAway = false;
  #peerGoneAway = false;
  #ended = false;
  #held = 0;
  #grown = 0;

  readonly #line: SendLine;
  readonly #pings = new Pings();
  readonly #resets = new RecentResets();
  readonly #opens: TokenBucket;
  readonly #pingsTaken: TokenBucket;
  readonly #idleFrames: TokenBucket;

  constructor(options: MuxOptions) {
    const { clock, limits } = options;
    this.#options = options;
    this.#line = new SendLine(options.transport);
    this.#nextId = options.role === 'client' ? 1 : 2;
    this.#opens = new TokenBucket(clock, {
      capacity: limits.opensPerSecond,
      perSecond: limits.opensPerSecond,
    });
    this.#pingsTaken = new TokenBucket(clock, PINGS);
    this.#idleFrames = new TokenBucket(clock, IDLE_FRAMES);
  }

  get streams(): ReadonlyMap<number, TunnelStream> {
    return this.#streams;
  }

  get bufferedBytes(): number {
    return this.#held;
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#goneAway && !this.#peerGoneAway;
  }

  get endsWithData(): boolean {
    return this.#options.endsWithData === true;
  }

  get isCrowded(): boolean {
    return this.#held * 2 > this.#options.limits.memoryBytes;
  }

  open(): TunnelStream | undefined {
    if (!this.isOpen || this.#streams.size >= this.#options.limits.streams) return undefined;
    // After two billion streams only a new session has ids again (yamux specification, "StreamID Field").
    if (this.#nextId > LARGEST_ID) {
      this.end(CloseCode.goingAway, 'the ids are used up');
      return undefined;
    }
    const stream = this.#newStream(this.#nextId, Flag.syn);
    this.#nextId += 2;
    // Ids arrive in their order, whoever writes first; what is written in this turn goes with it.
    this.ready(stream);
    return stream;
  }

  ping(): Promise<number> {
    if (this.#ended) return Promise.reject(new Error('the tunnel has ended'));
    const { value, answer } = this.#pings.ask(this.now());
    this.#sendControl(controlFrame(FrameType.ping, Flag.syn, 0, value));
    return answer;
  }

  goAway(): void {
    if (this.#goneAway) return;
    this.#goneAway = true;
    this.#sendControl(controlFrame(FrameType.goAway, 0, 0, GoAwayCode.normal));
  }

  end(code: number, reason: string): void {
    this.#end({ kind: 'local', code, reason });
  }

  lost(code: number, reason: string): void {
    this.#end({ kind: 'lost', code, reason });
  }

  drained(): void {
    this.#line.drained();
  }

  receive(message: Uint8Array | string): void {
    if (this.#ended) return;
    try {
      if (typeof message === 'string') return this.#violated('a text message');
      this.#receiveFrame(message);
    } catch (error) {
      // A reader that throws is a bug of ours; which streams it hurt, nobody knows.
      this.#end(
        { kind: 'internal', code: CloseCode.internalError, reason: 'a bug', error },
        GoAwayCode.internalError,
      );
    }
  }

  // What streams ask.

  ready(stream: MuxStream): void {
    this.#line.ready(stream);
  }

  hold(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#options.limits.memoryBytes) this.#relieve();
  }

  closed(stream: MuxStream): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#grown -= stream.grownBytes;
  }

  resetByUs(stream: MuxStream, tell: boolean): void {
    this.closed(stream);
    if (tell) this.#refuse(stream.id, stream.receiveWindow);
  }

  growth(windowBytes: number, sinceMs: number): number {
    const { maxWindowBytes, memoryBytes } = this.#options.limits;
    if (windowBytes * 2 > maxWindowBytes) return 0;
    const { roundTripMs } = this.#pings;
    if (roundTripMs === undefined) {
      if (!this.#pings.areWaiting) this.ping().catch(() => undefined);
      return 0;
    }
    // Half of it lasts no longer than the way there and back: less than twice what the line holds. More would only queue.
    if (sinceMs > Math.max(roundTripMs, SHORTEST_ROUND_TRIP_MS)) return 0;
    const taken = this.#streams.size * INITIAL_WINDOW_BYTES + this.#grown;
    if (taken + windowBytes > memoryBytes) return 0;
    this.#grown += windowBytes;
    return windowBytes;
  }

  now(): number {
    return this.#options.clock.monotonicNow();
  }

  // What arrives.

  #receiveFrame(message: Uint8Array): void {
    if (message.length < HEADER_BYTES) return this.#violated('a frame without a header');
    if (message[0] !== 0) return this.#violated('another version');
    const flags = readUint16(message, 2);
    if (flags > 15) return this.#violated('unknown flags');
    const type = message[1];
    const id = readUint32(message, 4);
    const length = readUint32(message, 8);
    if (type === FrameType.data) return this.#receiveData(message, flags, id, length);
    if (message.length > HEADER_BYTES) return this.#violated('data in a frame that has none');
    if (type === FrameType.windowUpdate) return this.#receiveCredit(flags, id, length);
    if (id !== 0) return this.#violated('a session frame with a stream');
    if (type === FrameType.ping) return this.#receivePing(flags, length);
    if (type === FrameType.goAway) return this.#receiveGoAway(flags, length);
    this.#violated('an unknown type');
  }

  #receiveData(message: Uint8Array, flags: number, id: number, length: number): void {
    if (length !== message.length - HEADER_BYTES) return this.#violated('a frame of another length');
    if (length > this.#options.limits.maxFrameBytes) return this.#violated('a frame that is too long');
    const stream = this.#find(flags, id);
    if (stream === undefined) return this.#receiveStray(flags, id, length, length);
    if ((flags & Flag.rst) !== 0) return this.#receiveReset(stream);
    if (length > 0 && !stream.receive(message.subarray(HEADER_BYTES))) {
      return this.#violated('data beyond the window or the end');
    }
    if (length === 0 && flags === 0 && !this.#spend()) return;
    if ((flags & Flag.fin) !== 0) stream.receiveFin();
  }

  #receiveCredit(flags: number, id: number, credit: number): void {
    const stream = this.#find(flags, id);
    if (stream === undefined) return this.#receiveStray(flags, id, 0, credit);
    if ((flags & Flag.rst) !== 0) return this.#receiveReset(stream);
    if (!stream.receiveCredit(credit)) return this.#violated('a window beyond 32 bits');
    if (credit === 0 && flags === 0 && !this.#spend()) return;
    if ((flags & Flag.fin) !== 0) stream.receiveFin();
  }

  #receiveReset(stream: MuxStream): void {
    this.closed(stream);
    stream.over('remote');
  }

  /** The stream that a frame is for, begun by it where it says so. */
  #find(flags: number, id: number): MuxStream | undefined {
    const stream = this.#streams.get(id);
    if ((flags & Flag.syn) === 0) return stream;
    if (stream !== undefined) {
      this.#violated('a stream that is open already');
      return undefined;
    }
    return this.#accept(flags, id);
  }

  #accept(flags: number, id: number): MuxStream | undefined {
    const { role, limits, onStream } = this.#options;
    const isTheirs = id % 2 === (role === 'client' ? 0 : 1);
    if (!isTheirs || id <= this.#lastRemoteId) {
      this.#violated('a stream id that is not the next one');
      return undefined;
    }
    this.#lastRemoteId = id;
    const isWelcome = onStream !== undefined && !this.#goneAway && this.#streams.size < limits.streams;
    if (!this.#opens.take() || !isWelcome) {
      if (this.#spend() && (flags & Flag.rst) === 0) this.#refuse(id, INITIAL_WINDOW_BYTES);
      return undefined;
    }
    const stream = this.#newStream(id, Flag.ack);
    onStream(stream);
    return this.#streams.get(id);
  }

  /** A frame for a stream that is not open: under way when it was reset, or wrong. */
  #receiveStray(flags: number, id: number, bytes: number, worth: number): void {
    if (this.#ended) return;
    const isLast = (flags & (Flag.fin | Flag.rst)) !== 0;
    const taken = this.#resets.take(id, bytes, isLast);
    if (taken === false) return this.#violated('data beyond the window');
    if (taken === true && (worth > 0 || isLast)) return;
    if (taken === true) return void this.#spend();
    if (!this.#wasOpened(id)) return this.#violated('a stream that was never opened');
    this.#spend();
  }

  #wasOpened(id: number): boolean {
    if (id === 0) return false;
    const isOurs = id % 2 === (this.#options.role === 'client' ? 1 : 0);
    return isOurs ? id < this.#nextId : id <= this.#lastRemoteId;
  }

  #receivePing(flags: number, value: number): void {
    if (flags === Flag.syn) {
      if (!this.#pingsTaken.take()) return this.#flooded('pings');
      return this.#sendControl(controlFrame(FrameType.ping, Flag.ack, 0, value));
    }
    const outcome = flags === Flag.ack ? this.#pings.answered(value, this.now()) : 'unasked';
    if (outcome === 'unasked') this.#violated('a ping that was not asked for');
    else if (outcome === 'late') this.#spend();
  }

  #receiveGoAway(flags: number, code: number): void {
    if (flags !== 0) return this.#violated('a go away with flags');
    if (code !== GoAwayCode.normal) {
      return this.#end({ kind: 'remote', code: CloseCode.normal, reason: `went away with code ${code}` });
    }
    if (this.#peerGoneAway) return void this.#spend();
    this.#peerGoneAway = true;
    this.#options.onGoAway?.();
  }

  // What goes out.

  #newStream(id: number, greeting: number): MuxStream {
    const stream = new MuxStream(this, id, this.#options.clock.now(), greeting);
    this.#streams.set(id, stream);
    return stream;
  }

  /** Tells the other side that a stream is over, and remembers what it may have sent before it hears of that. */
  #refuse(id: number, window: number): void {
    this.#resets.add(id, window);
    this.#sendControl(controlFrame(FrameType.windowUpdate, Flag.rst, id, 0));
  }

  #sendControl(frame: Uint8Array): void {
    if (!this.#line.sendControl(frame)) this.#flooded('answers that nobody takes');
  }

  // What goes wrong.

  /** Takes from what is allowed of frames that do nothing; false: it was too many, and the mux is over. */
  #spend(): boolean {
    if (this.#ended) return false;
    if (this.#idleFrames.take()) return true;
    this.#flooded('frames that do nothing');
    return false;
  }

  /** Resets the stream that holds most. */
  #relieve(): void {
    let most: MuxStream | undefined;
    for (const stream of this.#streams.values()) {
      if (stream.heldBytes > (most?.heldBytes ?? 0)) most = stream;
    }
    most?.resetAs('memory');
  }

  #violated(what: string): void {
    const code = CloseCode.protocolError;
    this.#end({ kind: 'protocol', code, reason: `the other side sent ${what}` }, GoAwayCode.protocolError);
  }

  #flooded(what: string): void {
    const code = CloseCode.flood;
    this.#end({ kind: 'flood', code, reason: `too many ${what}` }, GoAwayCode.protocolError);
  }

  #end(cause: MuxEnd, goAwayCode?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    if (cause.kind !== 'lost') this.#sayGoodbye(cause, goAwayCode);
    this.#line.close();
    this.#resets.clear();
    // What both sides have finished is whole: its reader may take its time.
    const streams = [...this.#streams.values()].filter(({ isFinished }) => !isFinished);
    this.#streams.clear();
    this.#pings.close();
    for (const stream of streams) stream.over('tunnel');
    this.#options.onEnd(cause);
  }

  /** The close code says everything but that the other side is at fault. */
  #sayGoodbye({ code, reason }: MuxEnd, goAwayCode: number | undefined): void {
    const { transport } = this.#options;
    if (goAwayCode !== undefined) transport.send(controlFrame(FrameType.goAway, 0, 0, goAwayCode));
    transport.close(code, reason);
  }
}
