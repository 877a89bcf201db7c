/** How many are remembered. */
const REMEMBERED = 1024;

/** Streams that were reset here a moment ago, and what the other side may have sent before it heard of that, in bytes. */
export class RecentResets {
  readonly #windows = new Map<number, number>();

  add(id: number, window: number): void {
    this.#windows.set(id, window);
    if (this.#windows.size <= REMEMBERED) return;
    for (const oldest of this.#windows.keys()) {
      this.#windows.delete(oldest);
      return;
    }
  }

  /** Data that was under way; `undefined`: the stream is not known here, false: it is more than was allowed. */
  take(id: number, bytes: number, isLast: boolean): boolean | undefined {
    const left = this.#windows.get(id);
    if (left === undefined) return undefined;
    if (isLast) this.#windows.delete(id);
    else this.#windows.set(id, left - bytes);
    return bytes <= left;
  }

  clear(): void {
    this.#windows.clear();
  }
}
