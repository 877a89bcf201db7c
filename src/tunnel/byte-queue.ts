/** A chunk takes a few hundred bytes of memory, however small it is: those below this many are put together. */
const SMALL_BYTES = 1024;
const BLOCK_BYTES = 16 * 1024;
/** Chunks that have gone stay in the list until there are so many of them, and more than are left. */
const SWEPT_CHUNKS = 64;

/** Bytes that wait, in order. Small chunks are copied into blocks, so that what it takes in memory follows `bytes`. */
export class ByteQueue {
  bytes = 0;
  #chunks: Uint8Array[] = [];
  /** The first chunk that is left, and how much of it has gone. */
  #head = 0;
  #offset = 0;
  /** The memory behind the last chunk, where that is ours and has room. */
  #block: Uint8Array | undefined;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.bytes += chunk.length;
    if (chunk.length < SMALL_BYTES && this.#merge(chunk)) return;
    this.#block = undefined;
    this.#chunks.push(chunk);
  }

  /** The next chunk as it is; undefined when nothing waits. */
  shift(): Uint8Array | undefined {
    const chunk = this.#chunks[this.#head];
    if (chunk === undefined) return undefined;
    const rest = this.#offset === 0 ? chunk : chunk.subarray(this.#offset);
    this.#dropHead();
    this.bytes -= rest.length;
    return rest;
  }

  /** Moves up to `most` bytes into `target` at `at`; answers how many. */
  moveInto(target: Uint8Array, at: number, most: number): number {
    let moved = 0;
    while (moved < most) {
      const chunk = this.#chunks[this.#head];
      if (chunk === undefined) break;
      const left = chunk.length - this.#offset;
      const taken = Math.min(left, most - moved);
      const isWhole = taken === chunk.length;
      target.set(isWhole ? chunk : chunk.subarray(this.#offset, this.#offset + taken), at + moved);
      moved += taken;
      if (taken === left) this.#dropHead();
      else this.#offset += taken;
    }
    this.bytes -= moved;
    return moved;
  }

  /** All that waits, in one piece, which is the caller's. */
  takeAll(): Uint8Array {
    if (this.#chunks.length - this.#head === 1) return this.shift() ?? new Uint8Array(0);
    const all = Buffer.allocUnsafe(this.bytes);
    this.moveInto(all, 0, all.length);
    return all;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = this.#offset = this.bytes = 0;
    this.#block = undefined;
  }

  #dropHead(): void {
    this.#offset = 0;
    this.#head++;
    if (this.#head === this.#chunks.length) {
      // The last chunk has been handed out: nothing may be written behind it any more.
      this.#chunks.length = this.#head = 0;
      this.#block = undefined;
    } else if (this.#head >= SWEPT_CHUNKS && this.#head * 2 >= this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Puts a small chunk behind the last one; false when there is none, or it is large enough. */
  #merge(chunk: Uint8Array): boolean {
    const index = this.#chunks.length - 1;
    const last = this.#chunks[index];
    if (last === undefined || last.length + chunk.length > BLOCK_BYTES) return false;
    const needed = last.length + chunk.length;
    let block = this.#block;
    if (block === undefined || block.length < needed) {
      block = this.#block = new Uint8Array(Math.min(BLOCK_BYTES, needed * 2));
      block.set(last);
    }
    block.set(chunk, last.length);
    this.#chunks[index] = block.subarray(0, needed);
    return true;
  }
}
