import { ByteQueue } from './byte-queue.ts';
import { Flag, FrameType, HEADER_BYTES, INITIAL_WINDOW_BYTES, LARGEST_WINDOW } from './constants.ts';
import { writeHeader } from './frame.ts';
import type { ResetReason, StreamReader, StreamStats, TunnelStream } from './model.ts';

/** What a stream asks of its mux. */
export interface StreamOwner {
  /** This stream has something to send. */
  ready(stream: MuxStream): void;
  /** More, or less, waits in memory. */
  hold(bytes: number): void;
  /** Both sides have finished, and nothing waits any more. */
  closed(stream: MuxStream): void;
  /** This side has reset it; `tell`: the other side has to hear of that. */
  resetByUs(stream: MuxStream, tell: boolean): void;
  /** How much more a window may grow, once `sinceMs` have passed for half of it to be used. */
  growth(windowBytes: number, sinceMs: number): number;
  now(): number;
  /** So much waits already that nobody may write ahead. */
  readonly isCrowded: boolean;
  /** Whether the last data and the end may share a frame. */
  readonly endsWithData: boolean;
}

/** What may wait unsent before a writer has to wait too, in bytes. */
const WRITE_AHEAD_BYTES = 128 * 1024;
/** What a reader is given before it says that it consumed any of it, in bytes; the rest waits in the stream. */
const IN_HAND_BYTES = 128 * 1024;
/** Smaller chunks wait until the reader has nothing in hand, so that many become one. */
const SMALL_BYTES = 1024;

const UNHEARD: StreamReader = { data: () => undefined, end: () => undefined, reset: () => undefined };

/** One stream of a mux, told by it of what arrives and asked by it for what to send. */
export class MuxStream implements TunnelStream {
  readonly id: number;
  readonly openedAt: number;
  /** The next in the mux's line of those that have something to send. */
  next: MuxStream | undefined;
  /** Whether it stands in that line. */
  inLine = false;

  readonly #owner: StreamOwner;
  #reader: StreamReader | undefined;
  /** Goes out with the first frame: SYN where this side opened the stream, ACK where the other one did. */
  #greeting: number;

  readonly #unsent = new ByteQueue();
  #sendWindow = INITIAL_WINDOW_BYTES;
  #room: PromiseWithResolvers<void> | undefined;
  #finished = false;
  #finSent = false;

  readonly #unread = new ByteQueue();
  #inHand = 0;
  /** Consumed, and still in memory, as the reader says. */
  #kept = 0;
  #window = INITIAL_WINDOW_BYTES;
  #receiveWindow = INITIAL_WINDOW_BYTES;
  /** Consumed, and not yet returned to the sender. */
  #credit = 0;
  #creditAt = 0;
  #finReceived = false;
  #endTold = false;
  #delivering = false;

  #reset: ResetReason | undefined;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(owner: StreamOwner, id: number, openedAt: number, greeting: number) {
    this.#owner = owner;
    this.id = id;
    this.openedAt = openedAt;
    this.#greeting = greeting;
  }

  get stats(): StreamStats {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      sendWindow: this.#sendWindow,
      receiveWindow: this.#receiveWindow,
      queuedBytes: this.heldBytes,
    };
  }

  get isWritable(): boolean {
    return !this.#finished && this.#reset === undefined;
  }

  /** What waits in memory: written and not sent, or received and not consumed. */
  get heldBytes(): number {
    return this.#waitingBytes + this.#kept;
  }

  get #waitingBytes(): number {
    return this.#unsent.bytes + this.#unread.bytes + this.#inHand;
  }

  /** Whether both sides have said everything. */
  get isFinished(): boolean {
    return this.#finSent && this.#finReceived;
  }

  get #isDone(): boolean {
    return this.isFinished && this.#waitingBytes === 0;
  }

  /** How far the window has grown. */
  get grownBytes(): number {
    return this.#window - INITIAL_WINDOW_BYTES;
  }

  /** What the other side may still send, in bytes. */
  get receiveWindow(): number {
    return this.#receiveWindow;
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (!this.isWritable) return undefined;
    this.#unsent.push(data);
    this.#owner.hold(data.length);
    if (!this.isWritable) return undefined;
    if (this.#sendWindow > 0) this.#owner.ready(this);
    if (this.#unsent.bytes <= (this.#owner.isCrowded ? 0 : WRITE_AHEAD_BYTES)) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  finish(): void {
    if (!this.isWritable) return;
    this.#finished = true;
    this.#owner.ready(this);
  }

  reset(): void {
    this.resetAs('local');
  }

  /** Ends the stream from this side. */
  resetAs(reason: ResetReason): void {
    if (this.#reset !== undefined || this.#isDone) return;
    this.#owner.resetByUs(this, !this.#isUnheard && !this.isFinished);
    this.over(reason);
  }

  read(reader: StreamReader): void {
    this.#reader = reader;
    if (this.#reset !== undefined) reader.reset(this.#reset);
    else this.#deliver();
  }

  consumed(bytes: number): void {
    const freed = Math.min(bytes, this.#inHand);
    if (freed === 0) return;
    this.#inHand -= freed;
    this.#owner.hold(-freed);
    this.#credit += freed;
    if (this.#owesCredit) this.#owner.ready(this);
    if (this.#unread.bytes > 0) this.#deliver();
    else if (this.#isDone) this.#close();
  }

  keeps(bytes: number): boolean {
    if (this.#reset === undefined && !this.#isDone) this.#keep(bytes);
    return !this.#owner.isCrowded;
  }

  #keep(bytes: number): void {
    const more = bytes - this.#kept;
    this.#kept = bytes;
    if (more !== 0) this.#owner.hold(more);
  }

  #close(): void {
    this.#keep(0);
    this.#owner.closed(this);
  }

  // What the mux says.

  /** Data arrived; false: more than was allowed. */
  receive(data: Uint8Array): boolean {
    if (this.#finReceived || data.length > this.#receiveWindow) return false;
    this.#receiveWindow -= data.length;
    this.#bytesIn += data.length;
    const { length } = data;
    if (this.#mayHandOver(length) && this.#reader !== undefined && this.#unread.bytes === 0) {
      this.#inHand += length;
      this.#owner.hold(length);
      if (this.#reset === undefined) this.#reader.data(data);
      return true;
    }
    this.#unread.push(data);
    this.#owner.hold(length);
    return true;
  }

  /** The other side has finished. */
  receiveFin(): void {
    if (this.#finReceived) return;
    this.#finReceived = true;
    if (this.#isDone) this.#close();
    this.#deliver();
  }

  /** Credit arrived; false: the window would be more than 32 bits hold. */
  receiveCredit(bytes: number): boolean {
    if (this.#sendWindow + bytes > LARGEST_WINDOW) return false;
    this.#sendWindow += bytes;
    if (this.#unsent.bytes > 0) this.#owner.ready(this);
    return true;
  }

  /** Nothing comes or goes any more; the other side knows or is told by the mux. */
  over(reason: ResetReason): void {
    if (this.#reset !== undefined) return;
    this.#reset = reason;
    this.#owner.hold(-this.heldBytes);
    this.#unsent.clear();
    this.#unread.clear();
    this.#inHand = this.#kept = 0;
    this.#makeRoom();
    (this.#reader ?? UNHEARD).reset(reason);
  }

  /** Writes the next frame into `frame`, which has room for `mostBytes` of data, and answers its length; 0 when there is none. */
  nextFrame(frame: Uint8Array, mostBytes: number): number {
    if (this.#reset !== undefined) return 0;
    if (this.#owesCredit) return this.#fillCredit(frame);
    const most = Math.min(mostBytes, this.#sendWindow);
    const length = this.#unsent.bytes === 0 ? 0 : this.#unsent.moveInto(frame, HEADER_BYTES, most);
    const mayEnd = length === 0 || this.#owner.endsWithData;
    const fin = mayEnd && this.#finished && !this.#finSent && this.#unsent.bytes === 0;
    if (length === 0 && !fin) return this.#isUnheard ? this.#announce(frame) : 0;
    writeHeader(frame, FrameType.data, this.#greet() | (fin ? Flag.fin : 0), this.id, length);
    this.#sendWindow -= length;
    this.#bytesOut += length;
    if (length > 0) this.#owner.hold(-length);
    if (fin) this.#sentFin();
    if (this.#unsent.bytes <= WRITE_AHEAD_BYTES / 2) this.#makeRoom();
    return HEADER_BYTES + length;
  }

  /** Whether there is a frame to send now. */
  get hasFrame(): boolean {
    if (this.#reset !== undefined) return false;
    if (this.#unsent.bytes > 0) return this.#sendWindow > 0 || this.#owesCredit;
    return this.#owesCredit || this.#isUnheard || (this.#finished && !this.#finSent);
  }

  /** This side opened it, and the other one does not know yet. */
  get #isUnheard(): boolean {
    return (this.#greeting & Flag.syn) !== 0;
  }

  get #owesCredit(): boolean {
    return this.#credit * 2 >= this.#window && !this.#finReceived && this.#reset === undefined;
  }

  #fillCredit(frame: Uint8Array): number {
    const now = this.#owner.now();
    const grown = this.#owner.growth(this.#window, now - this.#creditAt);
    const credit = this.#credit + grown;
    this.#window += grown;
    this.#receiveWindow += credit;
    this.#credit = 0;
    this.#creditAt = now;
    writeHeader(frame, FrameType.windowUpdate, this.#greet(), this.id, credit);
    return HEADER_BYTES;
  }

  #announce(frame: Uint8Array): number {
    writeHeader(frame, FrameType.windowUpdate, this.#greet(), this.id, 0);
    return HEADER_BYTES;
  }

  #greet(): number {
    const flag = this.#greeting;
    this.#greeting = 0;
    return flag;
  }

  #sentFin(): void {
    this.#finSent = true;
    if (this.#isDone) this.#close();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #mayHandOver(length: number): boolean {
    return this.#inHand === 0 || (length >= SMALL_BYTES && this.#inHand + length <= IN_HAND_BYTES);
  }

  /** Hands on what waits, as far as the reader takes it, and the end after the last of it. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.#reader !== undefined && this.#reset === undefined && this.#mayHandOver(SMALL_BYTES)) {
      const chunk = this.#unread.shift();
      if (chunk === undefined) break;
      this.#inHand += chunk.length;
      this.#reader.data(chunk);
    }
    this.#delivering = false;
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#finReceived || this.#endTold || this.#unread.bytes > 0) return;
    if (this.#reader === undefined || this.#reset !== undefined) return;
    this.#endTold = true;
    this.#reader.end();
  }
}
