/** What a connection of this machine tells. `closed` is the last, and comes exactly once. */
export interface LocalSocketReader {
  data(chunk: Uint8Array): void;
  /** What was written has left; more may follow. */
  drained(): void;
  /** The other end sends no more. */
  ended(): void;
  closed(): void;
}

/** A connection of this machine. Writes after its end are dropped. */
export interface LocalSocket {
  /** Takes all of it; `false` asks to wait for `drained`. */
  write(chunk: Uint8Array): boolean;
  /** Sends what was written, and then that there is no more. */
  finish(): void;
  pause(): void;
  resume(): void;
  /** Ends it at once; `closed` follows. */
  destroy(): void;
}

/** A socket of the runtime, whatever it carries along. */
type RuntimeSocket = Pick<Bun.Socket, 'write' | 'shutdown' | 'pause' | 'resume' | 'terminate'>;

/** The runtime takes as much as the system has room for; the rest waits here. */
export class BufferedSocket implements LocalSocket {
  readonly #reader: LocalSocketReader;
  #socket: RuntimeSocket | undefined;
  #waiting: Uint8Array[] = [];
  #isFinishing = false;
  #isShut = false;
  #isEnded = false;
  #isDestroyed = false;
  #isClosed = false;

  constructor(reader: LocalSocketReader) {
    this.#reader = reader;
  }

  attach(socket: RuntimeSocket): void {
    // It may have been given up while it was being made.
    if (this.#isDestroyed) socket.terminate();
    else this.#socket = socket;
  }

  received(chunk: Uint8Array): void {
    if (!this.#isDestroyed) this.#reader.data(chunk);
  }

  ended(): void {
    if (this.#isEnded || this.#isDestroyed) return;
    this.#isEnded = true;
    this.#reader.ended();
  }

  closed(error: Error | undefined): void {
    const wasOpen = this.#socket !== undefined && !this.#isClosed;
    // Where this side has finished already, the runtime tells of the other's end by closing.
    if (wasOpen && error === undefined && this.#isShut) this.ended();
    this.#isClosed = true;
    this.#waiting = [];
    if (wasOpen) this.#reader.closed();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isDestroyed || this.#isClosed || this.#socket === undefined) return true;
    if (this.#waiting.length > 0) {
      this.#waiting.push(chunk);
      return false;
    }
    return this.#send(chunk);
  }

  /** Whether all of it left; the rest is first in line. */
  #send(chunk: Uint8Array): boolean {
    const sent = Math.max(0, this.#socket?.write(chunk) ?? 0);
    if (sent === chunk.byteLength) return true;
    this.#waiting.unshift(chunk.subarray(sent));
    return false;
  }

  drained(): void {
    for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift())
      if (!this.#send(chunk)) return;
    if (this.#isFinishing && !this.#isShut) this.#shut();
    this.#reader.drained();
  }

  #shut(): void {
    this.#isShut = true;
    this.#socket?.shutdown();
  }

  finish(): void {
    if (this.#isFinishing || this.#isDestroyed) return;
    this.#isFinishing = true;
    if (this.#waiting.length === 0) this.#shut();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#waiting = [];
    this.#socket?.terminate();
  }
}
