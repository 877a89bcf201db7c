import { HEADER_BYTES } from './constants.ts';
import type { FrameTransport } from './model.ts';
import type { MuxStream } from './stream.ts';

/** Data in a frame that is sent: more would make interactive streams wait behind bulk ones. */
const FRAME_BYTES = 16 * 1024;
/** Frames that wait for a full transport, besides data. */
const WAITING_CONTROL_FRAMES = 1024;

/** Frames are put together here: a transport takes what it needs before it returns. */
const scratch = new Uint8Array(HEADER_BYTES + FRAME_BYTES);

/**
 * What goes out over one transport: control frames first, then a frame of each stream that has something to send, in turn.
 * All that is written in one turn goes out together: a head and a body are one frame, all frames one packet.
 */
export class SendLine {
  readonly #transport: FrameTransport;
  /** The stream at the front gets one frame, then stands behind the others. */
  #first: MuxStream | undefined;
  #last: MuxStream | undefined;
  #control: Uint8Array[] = [];
  #isFull = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(transport: FrameTransport) {
    this.#transport = transport;
  }

  /** False: as many wait already as may, because nobody takes them. */
  sendControl(frame: Uint8Array): boolean {
    if (this.#isClosed) return true;
    if (this.#control.length >= WAITING_CONTROL_FRAMES) return false;
    this.#control.push(frame);
    this.#schedule();
    return true;
  }

  /** The stream has something to send. */
  ready(stream: MuxStream): void {
    if (stream.inLine || this.#isClosed) return;
    stream.inLine = true;
    if (this.#last === undefined) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
    this.#schedule();
  }

  drained(): void {
    this.#isFull = false;
    this.#flush();
  }

  /** Nothing goes out any more. */
  close(): void {
    this.#isClosed = true;
    this.#first = this.#last = undefined;
    this.#control = [];
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isFull) return;
    this.#isScheduled = true;
    if (this.#transport.later === undefined) queueMicrotask(this.#flush);
    else this.#transport.later(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    if (this.#isClosed || this.#isFull) return;
    if (this.#transport.cork === undefined) this.#sendAll();
    else this.#transport.cork(this.#sendAll);
  };

  readonly #sendAll = (): void => {
    while (!this.#isFull) {
      if (this.#control.length > 0) this.#sendControls();
      else if (this.#first !== undefined) this.#sendNext(this.#first);
      else return;
    }
  };

  #sendControls(): void {
    const frames = this.#control;
    this.#control = [];
    for (const [index, frame] of frames.entries()) {
      if (this.#transport.send(frame)) continue;
      this.#isFull = true;
      this.#control = [...frames.slice(index + 1), ...this.#control];
      return;
    }
  }

  #sendNext(stream: MuxStream): void {
    this.#first = stream.next;
    if (this.#first === undefined) this.#last = undefined;
    stream.next = undefined;
    stream.inLine = false;
    const length = stream.nextFrame(scratch, FRAME_BYTES);
    if (length > 0 && !this.#transport.send(scratch.subarray(0, length))) this.#isFull = true;
    if (stream.hasFrame) this.ready(stream);
  }
}
