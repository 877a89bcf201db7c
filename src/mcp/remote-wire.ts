import { type Clock, sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { fetchConfiguredStream } from '../lib/safe-fetch.ts';
import { notLinked, secretMissing } from './broker-errors.ts';
import {
  LAST_EVENT_HEADER,
  METHOD_HEADER,
  MODERN_VERSIONS,
  NAME_HEADER,
  NAMED_BY,
  SESSION_HEADER,
  VERSION_HEADER,
} from './constants.ts';
import { readEvents } from './event-stream.ts';
import type { ExitCause } from './exchange.ts';
import { INTERNAL_ERROR, isJsonObject, type JsonObject } from './json-rpc.ts';
import type { HttpTransport } from './model.ts';
import type { OutboundBudget } from './outbound-budget.ts';
import { headerValue, paramHeaders } from './param-headers.ts';
import { fillPlaceholders, type PlaceholderValues } from './placeholders.ts';
import { type Wire, type WireReader } from './wire.ts';

export interface RemoteWireOptions {
  backend: { readonly name: string; readonly messageBytes: number; readonly transport: HttpTransport };
  values: PlaceholderValues;
  /** Shared by all remote servers. */
  budget: OutboundBudget;
  clock: Clock;
  log: Logger;
}

const ACCEPT = 'application/json, text/event-stream';
const FIRST_RECONNECT_MS = 1_000;
const LONGEST_RECONNECT_MS = 30_000;
/** How long a server may take to open the stream of its own; some send nothing before there is something to say. */
const LISTENING_MS = 200;
/** How long a server may take over the end of a protocol session. */
const FAREWELL_MS = 2_000;
/** A server that hands out a longer id of a protocol session means no good. */
const MAX_SESSION_ID_LENGTH = 1_024;
/** Further tries to take up the answer to one request where its stream broke. */
const MAX_RESUMES = 5;

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
  readonly #headers: Readonly<Record<string, string>>;
  readonly #params = paramHeaders();
  readonly #ending = new AbortController();
  readonly #requests = new Map<number, AbortController>();
  readonly #exit: (cause: ExitCause) => void;
  #read: WireReader = () => undefined;
  #version: string | undefined;
  #sessionId: string | undefined;
  /** What comes before the first call of a legacy server. */
  #begun: Promise<void> | undefined;
  #hasEnded = false;
  #ended: Promise<void> | undefined;

  constructor(options: RemoteWireOptions, headers: Readonly<Record<string, string>>) {
    this.#options = options;
    this.#headers = headers;
    const { promise, resolve } = Promise.withResolvers<ExitCause>();
    this.exited = promise;
    this.#exit = resolve;
  }

  open(read: WireReader): void {
    this.#read = read;
  }

  speak(protocolVersion: string): void {
    this.#version = protocolVersion;
  }

  send(message: JsonObject): void {
    const { id, method } = message;
    if (method === 'notifications/initialized') this.#begun = this.#initialized(message);
    else if (typeof id === 'number' && method !== undefined) void this.#request(id, message);
    else void this.#tell(message);
  }

  abandon(id: number): boolean {
    this.#requests.get(id)?.abort();
    return this.#isModern;
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    if (!this.#hasEnded) await this.#farewell();
    this.#over({ kind: 'ended', detail: undefined });
  }

  get #isModern(): boolean {
    return MODERN_VERSIONS.some((version) => version === this.#version);
  }

  /** Servers may ask over the stream of their own what belongs to a call: it is open before the first one, where there is one. */
  async #initialized(message: JsonObject): Promise<void> {
    if (!(await this.#tell(message))) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(LISTENING_MS, resolve);
      void this.#listen(() => {
        timer[Symbol.dispose]();
        resolve();
      });
    });
  }

  /** A message that nobody waits for an answer to. */
  async #tell(message: JsonObject): Promise<boolean> {
    try {
      const response = await this.#post(message, this.#ending.signal);
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
      const response = await this.#post(message, signal);
      if (message['method'] === 'initialize' && response.ok) this.#begin(response);
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

  #begin(response: Response): void {
    const given = response.headers.get(SESSION_HEADER);
    this.#sessionId = given !== null && given.length <= MAX_SESSION_ID_LENGTH ? given : undefined;
  }

  /** Reads the answer to one request; `false`: there is none in it. */
  async #answered(id: number, response: Response, signal: AbortSignal): Promise<boolean> {
    const type = response.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
    if (response.ok && type === 'text/event-stream' && response.body !== null) {
      return this.#answeredByEvents(id, response.body, signal);
    }
    const message = type === 'application/json' ? await this.#readJson(response) : undefined;
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
    const isOver = status === 404 && this.#sessionId !== undefined;
    if (!isOver && status !== 401) return false;
    this.#over({ kind: 'lost', detail: `HTTP ${status}` });
    return true;
  }

  #take(id: number, message: unknown): boolean {
    if (isJsonObject(message) && message['id'] === id) this.#params.learn(message);
    this.#read(message, id);
    return isJsonObject(message) && message['id'] === id && message['method'] === undefined;
  }

  /** A stream that broke before the answer is taken up where it broke, if the server numbers its events. */
  async #answeredByEvents(
    id: number,
    first: ReadableStream<Uint8Array>,
    signal: AbortSignal,
  ): Promise<boolean> {
    let body: ReadableStream<Uint8Array> | null = first;
    let lastEventId: string | undefined;
    for (let tries = 0; body !== null && tries <= MAX_RESUMES; tries++) {
      const end = await this.#readUntilAnswered(id, body, signal);
      if (end === 'answered') return true;
      lastEventId = end.lastEventId ?? lastEventId;
      if (lastEventId === undefined || this.#isModern) return false;
      await sleep(this.#options.clock, FIRST_RECONNECT_MS, signal);
      const response = await this.#get(lastEventId, signal);
      body = response.ok ? response.body : null;
    }
    return false;
  }

  async #readUntilAnswered(id: number, body: ReadableStream<Uint8Array>, signal: AbortSignal) {
    let lastEventId: string | undefined;
    try {
      for await (const event of readEvents(body, this.#options.backend.messageBytes)) {
        lastEventId = event.id ?? lastEventId;
        if (event.data !== '' && this.#take(id, parse(event.data))) return 'answered';
      }
    } catch (error) {
      if (signal.aborted || lastEventId === undefined) throw error;
    }
    return { lastEventId };
  }

  /** What a legacy server says of its own accord; one that has no such stream answers 405. */
  async #listen(onFirst: () => void): Promise<void> {
    const { streams } = this.#options.budget;
    if (!streams.take()) {
      this.#options.log.warn('too many streams of remote MCP servers are open; this one is not listened to', {
        backend: this.#options.backend.name,
      });
      return onFirst();
    }
    try {
      await this.#keepListening(onFirst);
    } finally {
      streams.give();
    }
  }

  async #keepListening(onFirst: () => void): Promise<void> {
    const { signal } = this.#ending;
    let lastEventId: string | undefined;
    for (
      let waitMs = FIRST_RECONNECT_MS;
      !signal.aborted;
      waitMs = Math.min(2 * waitMs, LONGEST_RECONNECT_MS)
    ) {
      try {
        const response = await this.#get(lastEventId, signal).finally(onFirst);
        if (!response.ok || response.body === null) {
          await response.body?.cancel();
          if (this.#isGone(response.status) || response.status < 500) return;
        } else {
          for await (const event of readEvents(response.body, this.#options.backend.messageBytes)) {
            waitMs = FIRST_RECONNECT_MS;
            lastEventId = event.id ?? lastEventId;
            if (event.data !== '') this.#read(parse(event.data));
          }
        }
      } catch (error) {
        if (!signal.aborted) this.#options.log.debug('the stream of a remote MCP server broke', { error });
      }
      await sleep(this.#options.clock, waitMs, signal).catch(() => undefined);
    }
  }

  #post(message: JsonObject, signal: AbortSignal): Promise<Response> {
    const headers = { ...this.#commonHeaders(message), 'content-type': 'application/json', accept: ACCEPT };
    const { url } = this.#options.backend.transport;
    return fetchConfiguredStream(url, { method: 'POST', headers, body: JSON.stringify(message), signal });
  }

  #get(lastEventId: string | undefined, signal: AbortSignal): Promise<Response> {
    const headers = {
      ...this.#commonHeaders(undefined),
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { [LAST_EVENT_HEADER]: lastEventId }),
    };
    return fetchConfiguredStream(this.#options.backend.transport.url, { headers, signal });
  }

  /** Ours come last: what is configured cannot stand in for them. */
  #commonHeaders(message: JsonObject | undefined): Record<string, string> {
    const beforeAll = message?.['method'] === 'initialize';
    return {
      ...lowerCased(this.#headers),
      ...(!beforeAll && this.#version !== undefined && { [VERSION_HEADER]: this.#version }),
      ...(!beforeAll && this.#sessionId !== undefined && { [SESSION_HEADER]: this.#sessionId }),
      ...(!beforeAll && this.#isModern && message !== undefined && this.#headersOf(message)),
    };
  }

  /** What a modern request repeats of its body (2026-07-28, transports, "Standard request headers"). */
  #headersOf({ method, params }: JsonObject): Record<string, string> {
    if (typeof method !== 'string') return {};
    const given = isJsonObject(params) ? params : {};
    const name = given[NAMED_BY[method] ?? ''];
    return {
      [METHOD_HEADER]: method,
      ...(typeof name === 'string' && { [NAME_HEADER]: headerValue(name) }),
      ...(method === 'tools/call' && this.#params.of(given)),
    };
  }

  async #readJson(response: Response): Promise<unknown> {
    const { messageBytes } = this.#options.backend;
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.byteLength;
      if (length > messageBytes) throw new Error('the answer is too long');
      parts.push(part);
    }
    return parse(Buffer.concat(parts).toString('utf8'));
  }

  #fail(id: number, message: string): void {
    this.#read({ jsonrpc: '2.0', id, error: { code: INTERNAL_ERROR, message } }, id);
  }

  /** A legacy server may hold something for this protocol session. */
  async #farewell(): Promise<void> {
    if (this.#sessionId === undefined || this.#isModern) return;
    const given = new AbortController();
    using _timer = this.#options.clock.setTimer(FAREWELL_MS, () => given.abort());
    const { url } = this.#options.backend.transport;
    try {
      const init = { method: 'DELETE', headers: this.#commonHeaders(undefined), signal: given.signal };
      const response = await fetchConfiguredStream(url, init);
      await response.body?.cancel();
    } catch {
      // It will find out by itself.
    }
  }

  #over(cause: ExitCause): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#exit(cause);
    this.#ending.abort();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
