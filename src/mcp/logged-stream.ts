import type { JsonObject, JsonRpcId } from './json-rpc.ts';
import { encodeMessage, type MessageStream, messageStream } from './message-stream.ts';

/** What is kept of one stream for a client that comes back; beyond either, the oldest go. */
const MAX_EVENTS = 256;
const MAX_BYTES = 256 * 1024;

interface LoggedEvent {
  readonly number: number;
  readonly text: string;
}

/**
 * One event stream of a legacy client that outlives its connection: what the client missed is sent again when it comes
 * back with `Last-Event-ID` (2025-11-25, transports, "Resumability and Redelivery").
 */
export class LoggedStream {
  readonly key: string;
  /** The request that it answers; the stream of a GET has none. */
  readonly requestId: JsonRpcId | undefined;
  #events: LoggedEvent[] = [];
  #bytes = 0;
  #lastNumber = 0;
  #live: MessageStream | undefined;
  #ended = false;
  /** Since when nobody reads, on the monotonic clock. */
  #unreadSince: number | undefined;
  readonly #now: () => number;

  constructor(key: string, requestId: JsonRpcId | undefined, now: () => number) {
    this.key = key;
    this.requestId = requestId;
    this.#now = now;
  }

  get isLive(): boolean {
    return this.#live !== undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What it keeps, in characters. */
  get size(): number {
    return this.#bytes;
  }

  get unreadSince(): number | undefined {
    return this.#unreadSince;
  }

  /**
   * A reader from now on; one that is still there is let go, because its connection may be dead without our knowing.
   * `after`: the number of the last event it has seen. `primed` readers learn an event id at once.
   */
  open({ after, primed }: { after: number; primed: boolean }): MessageStream['body'] {
    const before = this.#live;
    const missed = this.#events.filter(({ number }) => number > after).map(({ text }) => text);
    const first = primed ? `id: ${this.#eventId(after)}\ndata: \n\n` : ': open\n\n';
    const live = messageStream(first + missed.join(''), () => this.#onGone(live));
    this.#live = live;
    this.#unreadSince = undefined;
    before?.close();
    if (this.#ended) this.#closeLive();
    return live.body;
  }

  /** `true`: somebody reads it now. */
  send(message: JsonObject): boolean {
    if (this.#ended) return false;
    const number = ++this.#lastNumber;
    const text = encodeMessage(message, this.#eventId(number));
    this.#events.push({ number, text });
    this.#bytes += text.length;
    this.#trim();
    return this.#live?.write(text) ?? false;
  }

  keepAlive(): void {
    this.#live?.keepAlive();
  }

  /** Nothing follows; what was sent can still be read again. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closeLive();
  }

  #closeLive(): void {
    this.#live?.close();
    this.#live = undefined;
    this.#unreadSince ??= this.#now();
  }

  #onGone(stream: MessageStream): void {
    if (this.#live !== stream) return;
    this.#live = undefined;
    this.#unreadSince = this.#now();
  }

  #eventId(number: number): string {
    return formatEventId({ key: this.key, number, requestId: this.requestId });
  }

  #trim(): void {
    while (this.#events.length > MAX_EVENTS || (this.#bytes > MAX_BYTES && this.#events.length > 1)) {
      this.#bytes -= this.#events.shift()?.text.length ?? 0;
    }
  }
}

interface EventId {
  readonly key: string;
  readonly number: number;
  /** Named so that, after a restart, the client can be told that nobody will answer any more. */
  readonly requestId: JsonRpcId | undefined;
}

/** Longer ids of requests are left out of the ids of events. */
const MAX_NAMED_ID = 128;

function formatEventId({ key, number, requestId }: EventId): string {
  const json = requestId === undefined ? '' : JSON.stringify(requestId);
  const named = json === '' || json.length > MAX_NAMED_ID ? '' : Buffer.from(json).toString('base64url');
  return `${key}.${number}.${named}`;
}

const EVENT_ID = /^([a-z0-9]{1,32})\.(\d{1,9})\.([A-Za-z0-9_-]{0,256})$/;

/** What a `Last-Event-ID` of ours says; `undefined` for anything else. */
export function parseEventId(text: string): EventId | undefined {
  const [, key, number, named] = EVENT_ID.exec(text) ?? [];
  if (key === undefined || named === undefined) return undefined;
  return { key, number: Number(number), requestId: named === '' ? undefined : namedRequest(named) };
}

function namedRequest(encoded: string): JsonRpcId | undefined {
  try {
    const id: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof id === 'string' || typeof id === 'number' ? id : undefined;
  } catch {
    return undefined;
  }
}
