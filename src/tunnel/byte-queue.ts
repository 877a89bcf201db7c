/** A chunk takes a few hundred bytes of memory, however small it is: those below this many are put together. */
const SMALL_BYTES = 1024;
const BLOCK_BYTES = 16 * 1024;

/** Bytes that wait, in order. Small chunks are copied into blocks, so that what it takes in memory follows `bytes`. */
export class ByteQueue {
  bytes = 0;
  #chunks: Uint8Array[] = [];
  /** The first chunk that is left, and how much of it has gone. */
  #head = 0;
  #offset = 0;
  /** Room behind the last chunk, when that is a block of ours. */
  #block: Uint8Array | undefined;
  #blockUsed = 0;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.bytes += chunk.length;
    if (chunk.length < SMALL_BYTES && this.#head < this.#chunks.length) return this.#merge(chunk);
    this.#block = undefined;
    this.#chunks.push(chunk);
  }

  /** The next chunk as it is; undefined when nothing waits. */
  shift(): Uint8Array | undefined {
    const chunk = this.#chunks[this.#head];
    if (chunk === undefined) return undefined;
    const rest = this.#offset === 0 ? chunk : chunk.subarray(this.#offset);
    this.#advance();
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
      const whole = this.#offset === 0 && taken === chunk.length;
      target.set(whole ? chunk : chunk.subarray(this.#offset, this.#offset + taken), at + moved);
      moved += taken;
      if (taken === left) this.#advance();
      else this.#cutAt(this.#offset + taken);
    }
    this.bytes -= moved;
    return moved;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = this.#offset = this.bytes = 0;
    this.#block = undefined;
  }

  /** What was taken out of a block stays there unseen: nothing may be added to it after. */
  #cutAt(offset: number): void {
    this.#offset = offset;
  }

  #advance(): void {
    this.#offset = 0;
    this.#head++;
    if (this.#head < this.#chunks.length) {
      // The array lets go of what has gone once that is most of it.
      if (this.#head >= 64 && this.#head * 2 >= this.#chunks.length) {
        this.#chunks = this.#chunks.slice(this.#head);
        this.#head = 0;
      }
      return;
    }
    this.#chunks.length = this.#head = 0;
    this.#block = undefined;
  }

  #merge(chunk: Uint8Array): void {
    const last = this.#chunks.length - 1;
    const used = this.#block === undefined ? (this.#chunks[last]?.length ?? 0) : this.#blockUsed;
    const needed = used + chunk.length;
    if (needed > BLOCK_BYTES) return this.#begin(chunk);
    if (this.#block === undefined || needed > this.#block.length) this.#grow(last, needed);
    this.#block?.set(chunk, used);
    this.#blockUsed = needed;
    if (this.#block !== undefined) this.#chunks[last] = this.#block.subarray(0, needed);
  }

  #begin(chunk: Uint8Array): void {
    this.#block = undefined;
    this.#chunks.push(chunk);
  }

  #grow(last: number, needed: number): void {
    const block = new Uint8Array(Math.min(BLOCK_BYTES, needed * 2));
    block.set(this.#chunks[last] ?? block.subarray(0, 0));
    this.#block = block;
  }
}
