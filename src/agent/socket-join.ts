import type { StreamReader, TunnelStream } from '../tunnel/model.ts';
import type { LocalSocket, LocalSocketReader } from './buffered-socket.ts';

/**
 * A stream and a connection of this machine: bytes both ways, each direction at the speed of the slower side and closed on its
 * own. What breaks off on one side is cut off on the other, so that nobody takes the half for the whole.
 */
export class SocketJoin implements LocalSocketReader {
  /** Takes what comes through the stream. */
  readonly fromStream: StreamReader;
  readonly #stream: TunnelStream;
  readonly #onOver: () => void;
  #socket: LocalSocket | undefined;
  /** What came before there was a connection, and what waits in it, in bytes. */
  #early: Uint8Array[] = [];
  #owed = 0;
  #isStreamDone = false;
  #isSocketDone = false;
  #isOver = false;

  constructor(stream: TunnelStream, onOver: () => void) {
    this.#stream = stream;
    this.#onOver = onOver;
    this.fromStream = {
      data: (chunk) => this.#take(chunk),
      end: () => {
        this.#isStreamDone = true;
        if (this.#early.length === 0) this.#socket?.finish();
      },
      reset: () => this.close(),
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The connection stands. */
  attach(socket: LocalSocket): void {
    if (this.#isOver) return socket.destroy();
    this.#socket = socket;
    for (let [chunk] = this.#early; chunk !== undefined; [chunk] = this.#early) {
      this.#send(chunk, socket);
      this.#early.shift();
    }
    if (this.#isStreamDone) socket.finish();
  }

  /** Ends the connection; the stream is the caller's. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const early = this.#early;
    this.#early = [];
    this.#socket?.destroy();
    // A stream is over only once all of it was consumed, whoever has it now.
    for (const { length } of early) this.#stream.consumed(length);
    this.drained();
    this.#onOver();
  }

  /** Sends through the stream. */
  write(bytes: Uint8Array): void {
    const room = this.#stream.write(bytes);
    if (room === undefined) return;
    this.#socket?.pause();
    void room.then(() => this.#socket?.resume());
  }

  data(chunk: Uint8Array): void {
    this.write(chunk);
  }

  drained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#stream.consumed(owed);
  }

  ended(): void {
    // The connection closes by itself once both sides have said so; what is still to be sent goes first.
    this.#isSocketDone = true;
    this.#stream.finish();
  }

  closed(): void {
    if (this.#isOver) return;
    this.close();
    // One that went away in the middle is not one that has said everything.
    if (!this.#isSocketDone || !this.#isStreamDone) this.#stream.reset();
  }

  #take(chunk: Uint8Array): void {
    if (this.#isOver) this.#stream.consumed(chunk.length);
    // Credit for what was early brings more at once, which stands behind it.
    else if (this.#socket === undefined || this.#early.length > 0) this.#early.push(chunk);
    else this.#send(chunk, this.#socket);
  }

  #send(chunk: Uint8Array, socket: LocalSocket): void {
    if (socket.write(chunk)) this.#stream.consumed(chunk.length);
    else this.#owed += chunk.length;
  }
}
