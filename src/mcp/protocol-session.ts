import { cancelled, notification } from './client-exchange.ts';
import { FIRST_VERSION_WITH_PRIMING } from './constants.ts';
import type { Attachment, Broker, ClientView, Holder, UnsolicitedView } from './exchange.ts';
import { type JsonObject, JsonRpcError, type JsonRpcId, METHOD_NOT_FOUND } from './json-rpc.ts';
import { AskBook, type AskDeadlines } from './legacy-asks.ts';
import type { LegacyExchange } from './legacy-exchange.ts';
import { requireCapability } from './legacy-exchange.ts';
import { wantsLog } from './log-levels.ts';
import { LoggedStream } from './logged-stream.ts';
import { toLogLevel } from './modern-request.ts';
import type { StoredProtocolSession } from './store-protocol-sessions.ts';

/** What is kept of streams that have ended, for a client that did not see their end; beyond either, the oldest go. */
const MAX_ENDED_STREAMS = 64;
const MAX_ENDED_SIZE = 1024 * 1024;

/** The stream that a GET opens. */
const STANDALONE = 'get';

export interface ProtocolSessionDeps {
  broker: Pick<Broker, 'attach'>;
  deadlines: AskDeadlines;
  /** The monotonic clock. */
  now: () => number;
}

/**
 * One protocol session of a legacy client while it is in memory: its streams, its open requests, and the view through
 * which it hears of what belongs to no request. All of it ends with `close`; the row in the store does not.
 */
export class ProtocolSession implements UnsolicitedView {
  readonly holder: Holder;
  readonly asks: AskBook;
  readonly calls = new Map<JsonRpcId, LegacyExchange>();
  readonly attachment: Attachment;
  /** What the store should say; replaced as a whole. */
  stored: StoredProtocolSession;
  client: ClientView;
  readonly #now: () => number;
  readonly #streams = new Map<string, LoggedStream>();
  #count = 0;

  constructor(stored: StoredProtocolSession, holder: Holder, deps: ProtocolSessionDeps) {
    this.stored = stored;
    this.holder = holder;
    this.client = toClientView(stored);
    this.asks = new AskBook(deps.deadlines);
    this.#now = deps.now;
    const { subscriptions } = stored;
    this.attachment = deps.broker.attach(holder, this, { logLevel: this.client.logLevel, subscriptions });
  }

  get isPrimed(): boolean {
    return this.stored.protocolVersion >= FIRST_VERSION_WITH_PRIMING;
  }

  /** Whether anything of it is open that memory must not forget. */
  get isBusy(): boolean {
    if (this.calls.size > 0) return true;
    return [...this.#streams.values()].some(({ isLive }) => isLive);
  }

  change(change: Partial<Pick<StoredProtocolSession, 'logLevel' | 'subscriptions' | 'lastUsedAt'>>): void {
    this.stored = { ...this.stored, ...change };
    if ('logLevel' in change) this.client = toClientView(this.stored);
  }

  /** A stream for the answer to one request. */
  newStream(requestId: JsonRpcId): LoggedStream {
    const stream = new LoggedStream(`s${(++this.#count).toString(36)}`, requestId, this.#now);
    this.#streams.set(stream.key, stream);
    return stream;
  }

  /** The stream of GET, which is there from its first reader on. */
  standalone(): LoggedStream {
    const known = this.#streams.get(STANDALONE);
    if (known !== undefined) return known;
    const stream = new LoggedStream(STANDALONE, undefined, this.#now);
    this.#streams.set(STANDALONE, stream);
    return stream;
  }

  findStream(key: string): LoggedStream | undefined {
    return this.#streams.get(key);
  }

  deliver(method: string, params?: JsonObject): boolean {
    if (method === 'notifications/message' && !wantsLog(this.client, params)) return false;
    return this.#streams.get(STANDALONE)?.send(notification(method, params)) ?? false;
  }

  async ask(method: string, params?: JsonObject): Promise<JsonObject> {
    requireCapability(this.client, method, params);
    const stream = this.#streams.get(STANDALONE);
    if (stream === undefined || !stream.isLive) throw nobodyListens();
    return this.asks.ask((message) => stream.send(message), method, params).answer;
  }

  keepAlive(): void {
    for (const stream of this.#streams.values()) stream.keepAlive();
  }

  stopListening(): void {
    this.#streams.get(STANDALONE)?.end();
    this.#streams.delete(STANDALONE);
  }

  /** Ends a stream; many that answered much may not fill the memory until nobody can come back to them. */
  endStream(stream: LoggedStream): void {
    stream.end();
    const ended = [...this.#streams.values()].filter((each) => each.ended);
    let count = ended.length;
    let size = ended.reduce((sum, each) => sum + each.size, 0);
    for (const oldest of ended) {
      if (count <= MAX_ENDED_STREAMS && size <= MAX_ENDED_SIZE) return;
      if (oldest === stream) continue;
      this.#streams.delete(oldest.key);
      count--;
      size -= oldest.size;
    }
  }

  /** Gives up streams that nobody has come back to since `until`, and the calls that they answer. */
  forgetStreams(until: number): void {
    for (const [key, stream] of this.#streams) {
      if (stream.unreadSince === undefined || stream.unreadSince > until) continue;
      if (!stream.ended && stream.requestId !== undefined) this.calls.get(stream.requestId)?.cancel();
      stream.end();
      this.#streams.delete(key);
    }
  }

  /** Ends everything that is open. */
  close(): void {
    for (const call of this.calls.values()) call.cancel(cancelled());
    this.asks.dropAll();
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
    this.attachment[Symbol.dispose]();
  }
}

function toClientView(stored: StoredProtocolSession): ClientView {
  return {
    era: 'legacy',
    protocolVersion: stored.protocolVersion,
    info: stored.clientInfo,
    capabilities: stored.capabilities,
    logLevel: toLogLevel(stored.logLevel),
  };
}

const nobodyListens = () =>
  new JsonRpcError(METHOD_NOT_FOUND, 'The client does not listen for requests now.');
