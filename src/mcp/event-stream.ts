/** One event of a stream (HTML Living Standard, "Server-sent events"). */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

/** An event that is longer than may be. */
export class EventTooLong extends Error {
  override readonly name = 'EventTooLong';
}

const LINE_END = /\r\n|\n|\r/;
const ANY_LINE_END = /[\r\n]/;

/**
 * Reads events as they come, and holds at most `maxLength` characters of one.
 * @throws EventTooLong, and whatever reading the body throws.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  maxLength: number,
): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let endsInReturn = false;
  let event = new EventBuffer();
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    rest += text;
    // A long line in small pieces is looked at once, not again with each piece.
    if (!endsInReturn && !ANY_LINE_END.test(text)) {
      if (event.length + rest.length > maxLength) throw new EventTooLong('an event is too long');
      continue;
    }
    // A carriage return at the very end may be half of a line end.
    const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
    const lines = whole.split(LINE_END);
    rest = (lines.pop() ?? '') + rest.slice(whole.length);
    endsInReturn = rest.endsWith('\r');
    for (const line of lines) {
      if (line !== '') event.add(line);
      else {
        const done = event.finish();
        event = new EventBuffer();
        if (done !== undefined) yield done;
      }
    }
    if (event.length + rest.length > maxLength) throw new EventTooLong('an event is too long');
  }
  const last = rest === '\r' ? event.finish() : undefined;
  if (last !== undefined) yield last;
}

class EventBuffer {
  length = 0;
  readonly #data: string[] = [];
  #id: string | undefined;
  #type = 'message';
  #hasFields = false;

  add(line: string): void {
    this.length += line.length;
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    this.#hasFields = true;
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  finish(): StreamEvent | undefined {
    if (!this.#hasFields) return undefined;
    return { id: this.#id, type: this.#type, data: this.#data.join('\n') };
  }
}
