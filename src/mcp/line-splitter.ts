/** A line that was longer than may be: dropped, but for its two ends, in which a JSON-RPC id may stand. */
export interface LongLine {
  readonly bytes: number;
  readonly head: string;
  readonly tail: string;
}

export interface LineSplitterOptions {
  /** Without the line break. */
  readonly maxBytes: number;
  readonly onLine: (line: string) => void;
  readonly onLong: (line: LongLine) => void;
}

export interface LineSplitter {
  push(chunk: Uint8Array): void;
  /** What was not closed by a line break is handed over as a line. */
  end(): void;
}

const LINE_FEED = 0x0a;
/** Kept of each end of a line that is dropped. */
const KEPT_BYTES = 512;
/** A chunk takes a hundred bytes of memory, however small it is: so many become one. */
const MERGED_CHUNKS = 256;
const EMPTY = new Uint8Array(0);

/**
 * Cuts bytes into lines and holds at most `maxBytes` of one. Bytes are decoded only once their line is whole, so that a
 * character cut in two by a chunk stays one; what is not UTF-8 becomes U+FFFD. Empty lines are nothing.
 */
export function lineSplitter({ maxBytes, onLine, onLong }: LineSplitterOptions): LineSplitter {
  let parts: Uint8Array[] = [];
  /** Chunks at the end of `parts` that have not been merged. */
  let loose = 0;
  let held = 0;
  let dropped: DroppedLine | undefined;

  const keep = (part: Uint8Array) => {
    if (dropped !== undefined) return dropped.add(part);
    if (part.length === 0) return;
    parts.push(part);
    held += part.length;
    if (++loose === MERGED_CHUNKS) {
      parts.push(Buffer.concat(parts.splice(-loose)));
      loose = 0;
    }
    if (held <= maxBytes) return;
    dropped = new DroppedLine(parts);
    [parts, loose, held] = [[], 0, 0];
  };
  const close = (part: Uint8Array) => {
    if (parts.length === 0 && dropped === undefined && part.length <= maxBytes) return emit(part);
    keep(part);
    const [whole, long] = [parts, dropped];
    [parts, loose, held, dropped] = [[], 0, 0, undefined];
    if (long === undefined) emit(Buffer.concat(whole));
    else onLong(long.describe());
  };
  const emit = (bytes: Uint8Array) => {
    if (bytes.length > 0) onLine(decode(bytes));
  };

  return {
    push(chunk) {
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(LINE_FEED, start);
        if (end === -1) return keep(start === 0 ? chunk : chunk.subarray(start));
        close(chunk.subarray(start, end));
        start = end + 1;
      }
    },
    end: () => close(EMPTY),
  };
}

/** The two ends of a line that is too long, however much of it still comes. */
class DroppedLine {
  readonly #head: Uint8Array;
  #tail: Uint8Array = EMPTY;
  #bytes = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#head = Buffer.concat(parts.map((part) => part.subarray(0, KEPT_BYTES))).subarray(0, KEPT_BYTES);
    for (const part of parts) this.add(part);
  }

  add(part: Uint8Array): void {
    this.#bytes += part.length;
    this.#tail = Buffer.concat([this.#tail, part.subarray(-KEPT_BYTES)]).subarray(-KEPT_BYTES);
  }

  describe(): LongLine {
    return { bytes: this.#bytes, head: decode(this.#head), tail: decode(this.#tail) };
  }
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
