import { AnswerMalformed, type BodyFraming } from './http-answer-head.ts';

/** Takes a body out of the bytes of a connection. */
export interface BodyReader {
  /**
   * Hands on what belongs to the body. Answers how many bytes belonged to it once it is complete, `undefined` before.
   * @throws AnswerMalformed
   */
  push(bytes: Uint8Array, onData: (data: Uint8Array) => void): number | undefined;
}

export function bodyReader(framing: BodyFraming): BodyReader {
  if (framing === 'chunked') return new ChunkedBody();
  return framing === 'until_close' ? new UnboundedBody() : new SizedBody(framing);
}

class SizedBody implements BodyReader {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  push(bytes: Uint8Array, onData: (data: Uint8Array) => void): number | undefined {
    const own = Math.min(this.#left, bytes.byteLength);
    this.#left -= own;
    if (own > 0) onData(own === bytes.byteLength ? bytes : bytes.subarray(0, own));
    return this.#left === 0 ? own : undefined;
  }
}

class UnboundedBody implements BodyReader {
  push(bytes: Uint8Array, onData: (data: Uint8Array) => void): undefined {
    if (bytes.byteLength > 0) onData(bytes);
  }
}

const LF = 10;
const MAX_LINE = 4_096;
const MAX_TRAILERS = 64;

/** RFC 9112 section 7.1. Extensions and trailers are dropped. */
class ChunkedBody implements BodyReader {
  #line = '';
  /** Bytes left of this chunk, its line break not counted; `undefined` while its size is read. */
  #left: number | undefined;
  #isTrailer = false;
  #trailers = 0;

  push(bytes: Uint8Array, onData: (data: Uint8Array) => void): number | undefined {
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#left !== undefined && this.#left > 0) {
        const end = Math.min(bytes.byteLength, at + this.#left);
        onData(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        continue;
      }
      const end = bytes.indexOf(LF, at);
      this.#line += latin1(bytes.subarray(at, end === -1 ? bytes.byteLength : end));
      if (this.#line.length > MAX_LINE) throw new AnswerMalformed('chunk');
      if (end === -1) return undefined;
      at = end + 1;
      if (this.#lineEnded()) return at;
    }
    return undefined;
  }

  /** Whether that was the last line of the body. */
  #lineEnded(): boolean {
    const line = this.#line.replace(/\r$/, '');
    this.#line = '';
    if (this.#isTrailer) return this.#trailer(line);
    if (this.#left === 0) {
      if (line !== '') throw new AnswerMalformed('chunk');
      this.#left = undefined;
      return false;
    }
    const [, digits] = /^([0-9a-f]{1,12})[\t ]*(?:;|$)/i.exec(line) ?? [];
    if (digits === undefined) throw new AnswerMalformed('chunk');
    this.#left = Number.parseInt(digits, 16);
    if (this.#left === 0) this.#isTrailer = true;
    return false;
  }

  #trailer(line: string): boolean {
    if (line !== '' && ++this.#trailers > MAX_TRAILERS) throw new AnswerMalformed('trailers');
    return line === '';
  }
}

const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
