import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { notLinked, secretMissing } from './broker-errors.ts';
import type { ExitCause } from './exchange.ts';
import { INTERNAL_ERROR, isJsonObject, type JsonObject } from './json-rpc.ts';
import type { HttpTransport } from './model.ts';
import type { OutboundBudget } from './outbound-budget.ts';
import { fillPlaceholders, type PlaceholderValues } from './placeholders.ts';
import { readAnswerFromEvents, readAnswerFromJson } from './remote-answers.ts';
import { listenToRemote } from './remote-listening.ts';
import { RemoteRequests } from './remote-requests.ts';
import type { Wire, WireReader } from './wire.ts';

export interface RemoteWireOptions {
  backend: { readonly name: string; readonly messageBytes: number; readonly transport: HttpTransport };
  values: PlaceholderValues;
  /** Shared by all remote servers. */
  budget: OutboundBudget;
  clock: Clock;
  log: Logger;
}

/** How long a server may take to open the stream of its own; some send nothing before there is something to say. */
const LISTENING_MS = 200;

/**
 * Streamable HTTP to a remote server, of both eras: a POST for each message, whose answer is JSON or a stream of events; for
 * a legacy server one more stream for what it says of its own accord. What fails on the way becomes an error to the request.
 * @throws AppError `forbidden` (`mcp_not_linked`, `mcp_secret_missing`) when a header needs what is not there.
 */
export function remoteWire(options: RemoteWireOptions): Wire {
  const { values, missing } = fillPlaceholders(options.backend.transport.headers, options.values);
  if (missing.includes('${upstream.access_token}')) throw notLinked();
  if (missing.length > 0) throw secretMissing();
  return new RemoteWire(options, values);
}

class RemoteWire implements Wire {
  readonly process = undefined;
  readonly exited: Promise<ExitCause>;
  readonly #options: RemoteWireOptions;
  readonly #remote: RemoteRequests;
  readonly #ending = new AbortController();
  readonly #requests = new Map<number, AbortController>();
  readonly #exit: (cause: ExitCause) => void;
  #read: WireReader = () => undefined;
  /** What comes before the first call of a legacy server. */
  #begun: Promise<void> | undefined;
  #hasEnded = false;
  #ended: Promise<void> | undefined;

  constructor(options: RemoteWireOptions, headers: Readonly<Record<string, string>>) {
    this.#options = options;
    const { backend, clock } = options;
    this.#remote = new RemoteRequests({ url: backend.transport.url, headers, clock });
    const { promise, resolve } = Promise.withResolvers<ExitCause>();
    this.exited = promise;
    this.#exit = resolve;
  }

  open(read: WireReader): void {
    this.#read = read;
  }

  speak(protocolVersion: string): void {
    this.#remote.speak(protocolVersion);
  }

  send(message: JsonObject): void {
    const { id, method } = message;
    if (method === 'notifications/initialized') this.#begun = this.#initialized(message);
    else if (typeof id === 'number' && method !== undefined) void this.#request(id, message);
    else void this.#tell(message);
  }

  abandon(id: number): boolean {
    this.#requests.get(id)?.abort();
    return this.#remote.isModern;
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    if (!this.#hasEnded) await this.#remote.farewell();
    this.#over({ kind: 'ended', detail: undefined });
  }

  /** Servers may ask over the stream of their own what belongs to a call: it is open before the first one, where there is one. */
  async #initialized(message: JsonObject): Promise<void> {
    if (!(await this.#tell(message))) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(LISTENING_MS, resolve);
      const onFirst = () => {
        timer[Symbol.dispose]();
        resolve();
      };
      const { signal } = this.#ending;
      void listenToRemote({
        ...this.#options,
        requests: this.#remote,
        signal,
        read: (heard) => this.#read(heard),
        isGone: (status) => this.#isGone(status),
        onFirst,
      });
    });
  }

  /** A message that nobody waits for an answer to. */
  async #tell(message: JsonObject): Promise<boolean> {
    try {
      const response = await this.#remote.post(message, this.#ending.signal);
      await response.body?.cancel();
      return response.ok;
    } catch (error) {
      this.#options.log.debug('a remote MCP server could not be told something', { error });
      return false;
    }
  }

  async #request(id: number, message: JsonObject): Promise<void> {
    const { calls, streams } = this.#options.budget;
    const slots = message['method'] === 'subscriptions/listen' ? streams : calls;
    if (!slots.take()) {
      queueMicrotask(() => this.#fail(id, 'Too many requests to remote servers are open.'));
      return;
    }
    const calledOff = new AbortController();
    this.#requests.set(id, calledOff);
    try {
      await this.#begun;
      const signal = AbortSignal.any([calledOff.signal, this.#ending.signal]);
      const response = await this.#remote.post(message, signal);
      if (message['method'] === 'initialize' && response.ok) this.#remote.begin(response);
      if (!(await this.#answered(id, response, signal))) this.#fail(id, 'The remote server did not answer.');
    } catch (error) {
      if (calledOff.signal.aborted || this.#hasEnded) return;
      this.#options.log.debug('a remote MCP server failed', { backend: this.#options.backend.name, error });
      this.#fail(id, 'The remote server cannot be reached.');
    } finally {
      slots.give();
      this.#requests.delete(id);
    }
  }

  /** Reads the answer to one request; `false`: there is none in it. */
  async #answered(id: number, response: Response, signal: AbortSignal): Promise<boolean> {
    const { backend, clock } = this.#options;
    const { messageBytes } = backend;
    const type = response.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
    if (response.ok && type === 'text/event-stream' && response.body !== null) {
      return readAnswerFromEvents(response.body, {
        requests: this.#remote,
        maxBytes: messageBytes,
        clock,
        signal,
        take: (message) => this.#take(id, message),
      });
    }
    const message =
      type === 'application/json' ? await readAnswerFromJson(response, messageBytes) : undefined;
    if (type !== 'application/json') await response.body?.cancel();
    if (!response.ok && this.#isGone(response.status)) return false;
    // An error without an id is about the message that it answers.
    if (isJsonObject(message) && isJsonObject(message['error'])) this.#read({ ...message, id }, id);
    else if (response.ok && message !== undefined) this.#take(id, message);
    else return false;
    return true;
  }

  /** What ends all, not one request: the protocol session is over, or the credential is not accepted. */
  #isGone(status: number): boolean {
    const isOver = status === 404 && this.#remote.hasSession;
    if (!isOver && status !== 401) return false;
    this.#over({ kind: 'lost', detail: `HTTP ${status}` });
    return true;
  }

  #take(id: number, message: unknown): boolean {
    if (isJsonObject(message) && message['id'] === id) this.#remote.learn(message);
    this.#read(message, id);
    return isJsonObject(message) && message['id'] === id && message['method'] === undefined;
  }

  #fail(id: number, message: string): void {
    this.#read({ jsonrpc: '2.0', id, error: { code: INTERNAL_ERROR, message } }, id);
  }

  #over(cause: ExitCause): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#exit(cause);
    this.#ending.abort();
  }
}
