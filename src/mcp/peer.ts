import type { Logger } from '../lib/log.ts';
import type { Exchange } from './exchange.ts';
import {
  INTERNAL_ERROR,
  isJsonObject,
  type JsonObject,
  JsonRpcError,
  type JsonRpcId,
  METHOD_NOT_FOUND,
} from './json-rpc.ts';
import type { Wire } from './wire.ts';

/** Requests of the other side that may wait for an answer at one time. */
const MAX_OPEN_ASKS = 100;
/** The longest id of the other side that is given back to it. */
const MAX_FOREIGN_ID_LENGTH = 256;
/** Lines of the log that one peer's nonsense may fill. */
const MAX_COMPLAINTS = 10;

/** What one side of a conversation does with what the other says of its own accord. */
export interface PeerHandlers {
  notified(method: string, params: JsonObject | undefined, about: OpenRequest | undefined): void;
  /** @throws JsonRpcError what the other side is answered. */
  asked(
    method: string,
    params: JsonObject | undefined,
    about: OpenRequest | undefined,
  ): JsonObject | Promise<JsonObject>;
}

/** A request of ours that waits for its answer. */
export interface OpenRequest {
  readonly id: number;
  /** The client's request behind it, if any. */
  readonly exchange: Exchange | undefined;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
  readonly onAbort: (() => void) | undefined;
}

export interface SendOptions {
  exchange?: Exchange | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Our side of JSON-RPC 2.0 over one wire. The ids are ours and never used twice, so that no answer can be taken for
 * another's; what the other side makes up is dropped, counted and (the first of it) logged.
 */
export class JsonRpcPeer {
  readonly #wire: Wire;
  readonly #log: Logger;
  readonly #open = new Map<number, OpenRequest>();
  readonly #asks = new Set<JsonRpcId>();
  #handlers: PeerHandlers | undefined;
  #lastId = 0;
  #complaints = 0;
  #gone = false;

  constructor(wire: Wire, log: Logger) {
    this.#wire = wire;
    this.#log = log;
    void wire.exited.then(() => this.close());
    wire.open((message, about) => this.#receive(message, about));
  }

  /** Whoever answers from now on; before that, requests of the other side are unknown methods. */
  serve(handlers: PeerHandlers): void {
    this.#handlers = handlers;
  }

  get openRequests(): number {
    return this.#open.size;
  }

  /** The id that the next request will have. */
  get nextId(): number {
    return this.#lastId + 1;
  }

  /** @throws JsonRpcError the other side's; `INTERNAL_ERROR` when it is gone or `signal` aborted. */
  request(method: string, params: JsonObject | undefined, { exchange, signal }: SendOptions = {}) {
    const id = ++this.#lastId;
    return new Promise<JsonObject>((resolve, reject) => {
      if (this.#gone) return reject(gone());
      if (signal?.aborted === true) return reject(cancelled());
      const onAbort = signal === undefined ? undefined : () => this.cancel(id);
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true });
      const settle = onAbort && (() => signal?.removeEventListener('abort', onAbort));
      this.#open.set(id, { id, exchange, resolve, reject, onAbort: settle });
      this.#wire.send(
        params === undefined ? { jsonrpc: '2.0', id, method } : { jsonrpc: '2.0', id, method, params },
      );
    });
  }

  notify(method: string, params?: JsonObject): void {
    if (this.#gone) return;
    this.#wire.send(params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params });
  }

  /** Gives a request up: its promise rejects now, the other side is told, and a late answer is dropped. */
  cancel(id: number): void {
    const request = this.#take(id);
    if (request === undefined) return;
    if (!this.#wire.abandon(id)) {
      this.notify('notifications/cancelled', { requestId: id, reason: 'The caller gave it up.' });
    }
    request.reject(cancelled());
  }

  /** The newest request whose exchange `fits`. */
  newest(fits: (exchange: Exchange) => boolean): Exchange | undefined {
    let found: Exchange | undefined;
    for (const { exchange } of this.#open.values()) {
      if (exchange !== undefined && fits(exchange)) found = exchange;
    }
    return found;
  }

  /** The request with this id, while it is open. */
  find(id: unknown): OpenRequest | undefined {
    return typeof id === 'number' ? this.#open.get(id) : undefined;
  }

  /** Something arrived that makes no sense. Its content is never logged: it may hold anything. */
  complain(what: string): void {
    if (++this.#complaints <= MAX_COMPLAINTS) this.#log.warn('an MCP server wrote nonsense', { what });
  }

  /** The conversation is over, whether the wire still is there or not: what is open fails now, what comes is not read. */
  close(): void {
    this.#gone = true;
    this.#asks.clear();
    for (const id of this.#open.keys()) this.#take(id)?.reject(gone());
  }

  #receive(message: unknown, about: number | undefined): void {
    if (this.#gone) return;
    // Revision 2025-03-26 has batches; servers of it may send them.
    if (Array.isArray(message)) {
      for (const each of message as unknown[]) if (!Array.isArray(each)) this.#receive(each, about);
      return;
    }
    if (!isJsonObject(message)) return this.complain('not a JSON-RPC message');
    const { id, method } = message;
    if (typeof method !== 'string') return this.#answered(id, message);
    const params = isJsonObject(message['params']) ? message['params'] : undefined;
    const request = about === undefined ? undefined : this.#open.get(about);
    if (id === undefined) return this.#notified(method, params, request);
    if (isForeignId(id)) void this.#answer(id, method, params, request);
    else this.complain('a request with an unusable id');
  }

  #answered(id: unknown, message: JsonObject): void {
    const request = typeof id === 'number' ? this.#take(id) : undefined;
    if (request === undefined) return this.#unexpected(id, message);
    const { result, error } = message;
    if (isJsonObject(error)) request.reject(errorOf(error));
    else if (isJsonObject(result)) request.resolve(result);
    else {
      this.complain('an answer without result and error');
      request.reject(new JsonRpcError(INTERNAL_ERROR, 'The server sent an answer that cannot be read.'));
    }
  }

  /** Answers to what was cancelled come late, and that is fine. An error without an id is the server's word on our message. */
  #unexpected(id: unknown, message: JsonObject): void {
    const late = typeof id === 'number' && Number.isInteger(id) && id > 0 && id <= this.#lastId;
    if (late) return;
    const nameless = (id === null || id === undefined) && isJsonObject(message['error']);
    this.complain(nameless ? 'an error that names no request' : 'an answer to nothing that was asked');
  }

  #notified(method: string, params: JsonObject | undefined, about: OpenRequest | undefined): void {
    if (method === 'notifications/cancelled') {
      this.#asks.delete(params?.['requestId'] as JsonRpcId);
      return;
    }
    this.#handlers?.notified(method, params, about);
  }

  async #answer(
    id: JsonRpcId,
    method: string,
    params: JsonObject | undefined,
    about: OpenRequest | undefined,
  ): Promise<void> {
    if (method === 'ping') return this.#wire.send({ jsonrpc: '2.0', id, result: {} });
    if (this.#asks.size >= MAX_OPEN_ASKS || this.#asks.has(id)) {
      this.complain('too many requests, or one id twice');
      return this.#wire.send({ jsonrpc: '2.0', id, error: wireError(undefined) });
    }
    this.#asks.add(id);
    const reply = await this.#replyTo(method, params, about);
    // Deleted meanwhile: the other side no longer wants to know.
    if (this.#asks.delete(id) && !this.#gone) this.#wire.send({ jsonrpc: '2.0', id, ...reply });
  }

  async #replyTo(method: string, params: JsonObject | undefined, about: OpenRequest | undefined) {
    try {
      if (this.#handlers === undefined) throw new JsonRpcError(METHOD_NOT_FOUND, 'Not yet.');
      return { result: await this.#handlers.asked(method, params, about) };
    } catch (error) {
      if (!(error instanceof JsonRpcError)) {
        this.#log.error('a request of an MCP server could not be answered', { error });
      }
      return { error: wireError(error) };
    }
  }

  #take(id: number): OpenRequest | undefined {
    const request = this.#open.get(id);
    if (request === undefined) return undefined;
    this.#open.delete(id);
    request.onAbort?.();
    return request;
  }
}

function isForeignId(id: unknown): id is JsonRpcId {
  return (
    (typeof id === 'number' && Number.isFinite(id)) ||
    (typeof id === 'string' && id.length <= MAX_FOREIGN_ID_LENGTH)
  );
}

function errorOf({ code, message, data }: JsonObject): JsonRpcError {
  return new JsonRpcError(
    typeof code === 'number' && Number.isInteger(code) ? code : INTERNAL_ERROR,
    typeof message === 'string' ? message : 'The server gave no reason.',
    data,
  );
}

function wireError(error: unknown): JsonObject {
  if (!(error instanceof JsonRpcError)) return { code: INTERNAL_ERROR, message: 'It cannot be answered.' };
  const { code, message, data } = error;
  return data === undefined ? { code, message } : { code, message, data };
}

function gone(): JsonRpcError {
  return new JsonRpcError(INTERNAL_ERROR, 'The server went away before it answered.');
}

function cancelled(): JsonRpcError {
  return new JsonRpcError(INTERNAL_ERROR, 'The call was cancelled.');
}
