import type { Clock } from '../lib/clock.ts';
import { fetchConfiguredStream } from '../lib/safe-fetch.ts';
import {
  LAST_EVENT_HEADER,
  METHOD_HEADER,
  MODERN_VERSIONS,
  NAME_HEADER,
  NAMED_BY,
  SESSION_HEADER,
  VERSION_HEADER,
} from './constants.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';
import { headerValue, paramHeaders } from './param-headers.ts';

const ACCEPT = 'application/json, text/event-stream';
/** How long a server may take over the end of a protocol session. */
const FAREWELL_MS = 2_000;
/** A server that hands out a longer id of a protocol session means no good. */
const MAX_SESSION_ID_LENGTH = 1_024;

export interface RemoteRequestsOptions {
  url: string;
  /** Configured ones, with their placeholders filled. */
  headers: Readonly<Record<string, string>>;
  clock: Clock;
}

/** The requests to one remote server, with all that their headers say of the conversation. */
export class RemoteRequests {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #params = paramHeaders();
  #version: string | undefined;
  #sessionId: string | undefined;

  constructor({ url, headers, clock }: RemoteRequestsOptions) {
    this.#url = url;
    this.#headers = lowerCased(headers);
    this.#clock = clock;
  }

  get isModern(): boolean {
    return MODERN_VERSIONS.some((version) => version === this.#version);
  }

  get hasSession(): boolean {
    return this.#sessionId !== undefined;
  }

  speak(protocolVersion: string): void {
    this.#version = protocolVersion;
  }

  /** Takes up the protocol session that the answer to `initialize` hands out, if it does. */
  begin(response: Response): void {
    const given = response.headers.get(SESSION_HEADER);
    this.#sessionId = given !== null && given.length <= MAX_SESSION_ID_LENGTH ? given : undefined;
  }

  /** Looks at an answer for parameters that are to be repeated in headers. */
  learn(answer: JsonObject): void {
    this.#params.learn(answer);
  }

  post(message: JsonObject, signal: AbortSignal): Promise<Response> {
    const headers = { ...this.#commonHeaders(message), 'content-type': 'application/json', accept: ACCEPT };
    return fetchConfiguredStream(this.#url, {
      method: 'POST',
      headers,
      body: JSON.stringify(message),
      signal,
    });
  }

  /** Asks for a stream: a legacy server's own, or the rest of one that broke after that event. */
  get(lastEventId: string | undefined, signal: AbortSignal): Promise<Response> {
    const headers = {
      ...this.#commonHeaders(undefined),
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { [LAST_EVENT_HEADER]: lastEventId }),
    };
    return fetchConfiguredStream(this.#url, { headers, signal });
  }

  /** Ends the protocol session: a legacy server may hold something for it. Never rejects. */
  async farewell(): Promise<void> {
    if (!this.hasSession || this.isModern) return;
    const given = new AbortController();
    using _timer = this.#clock.setTimer(FAREWELL_MS, () => given.abort());
    try {
      const init = { method: 'DELETE', headers: this.#commonHeaders(undefined), signal: given.signal };
      const response = await fetchConfiguredStream(this.#url, init);
      await response.body?.cancel();
    } catch {
      // It will find out by itself.
    }
  }

  /** Ours come last: what is configured cannot stand in for them. */
  #commonHeaders(message: JsonObject | undefined): Record<string, string> {
    const beforeAll = message?.['method'] === 'initialize';
    return {
      ...this.#headers,
      ...(!beforeAll && this.#version !== undefined && { [VERSION_HEADER]: this.#version }),
      ...(!beforeAll && this.#sessionId !== undefined && { [SESSION_HEADER]: this.#sessionId }),
      ...(!beforeAll && this.isModern && message !== undefined && this.#headersOf(message)),
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
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
