import type { JsonObject } from '../../src/mcp/json-rpc.ts';
import { SERVED_HOST } from './http-server.ts';

export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

export interface RawMcpRequest {
  method?: string;
  token?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
  query?: string;
  signal?: AbortSignal;
}

/** One HTTP request to a backend, with nothing in it that is not asked for. */
export function sendRaw(url: string, request: RawMcpRequest): Promise<Response> {
  const { method = 'POST', token, body, headers, query = '', signal } = request;
  return fetch(`${url}${query}`, {
    method,
    headers: {
      host: SERVED_HOST,
      accept: 'application/json, text/event-stream',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  });
}

/** A request of a client of 2026-07-28, with the headers that repeat what its body says. */
export function sendModern(
  url: string,
  token: string,
  message: { id?: string | number; method: string; params?: JsonObject; capabilities?: JsonObject },
  options: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  const { id = 1, method, params = {}, capabilities = {} } = message;
  const name = params['name'] ?? params['uri'];
  const _meta = {
    ...MODERN_META,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...(params['_meta'] as JsonObject | undefined),
  };
  return sendRaw(url, {
    token,
    body: { jsonrpc: '2.0', id, method, params: { ...params, _meta } },
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
      ...options.headers,
    },
    ...(options.signal && { signal: options.signal }),
  });
}

export interface ReceivedEvent {
  readonly id: string | undefined;
  readonly message: JsonObject;
}

/** Reads an event stream one message at a time. */
export class EventReader implements AsyncDisposable {
  readonly #reader: {
    read(): Promise<{ done: boolean; value?: Uint8Array }>;
    cancel(): Promise<void>;
  };
  readonly #decoder = new TextDecoder();
  #text = '';
  /** The id of the last event, of those without data too. */
  lastId: string | undefined;

  constructor(response: Response) {
    if (response.body === null) throw new Error('the answer has no body');
    this.#reader = response.body.getReader();
  }

  /** The next message; `undefined` at the end. */
  async next(): Promise<ReceivedEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end === -1) {
        const { value, done } = await this.#reader.read();
        if (done) return undefined;
        this.#text += this.#decoder.decode(value, { stream: true });
        continue;
      }
      const event = this.#parse(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 2);
      if (event !== undefined) return event;
    }
  }

  /** All that follows. */
  async rest(): Promise<JsonObject[]> {
    const messages: JsonObject[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next())
      messages.push(event.message);
    return messages;
  }

  async [Symbol.asyncDispose]() {
    await this.#reader.cancel().catch(() => undefined);
  }

  #parse(block: string): ReceivedEvent | undefined {
    const field = (name: string) =>
      block
        .split('\n')
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    const id = field('id');
    if (id !== undefined) this.lastId = id;
    const data = field('data');
    return data === undefined || data === '' ? undefined : { id, message: JSON.parse(data) as JsonObject };
  }
}

/** A client of 2025-11-25 that has initialized. */
export class LegacyClient {
  readonly url: string;
  readonly token: string;
  readonly session: string;

  constructor(url: string, token: string, session: string) {
    this.url = url;
    this.token = token;
    this.session = session;
  }

  static async connect(url: string, token: string, capabilities: JsonObject = {}): Promise<LegacyClient> {
    const response = await sendRaw(url, { token, body: initialize(capabilities) });
    const session = response.headers.get('mcp-session-id');
    if (session === null) throw new Error(`initialize answered ${response.status}: ${await response.text()}`);
    return new LegacyClient(url, token, session);
  }

  send(body: JsonObject, request: RawMcpRequest = {}): Promise<Response> {
    return sendRaw(this.url, {
      token: this.token,
      body: { jsonrpc: '2.0', ...body },
      ...request,
      headers: this.#headers(request),
    });
  }

  call(name: string, args: JsonObject = {}, id: string | number = 1, meta?: JsonObject): Promise<Response> {
    const params = { name, arguments: args, ...(meta && { _meta: meta }) };
    return this.send({ id, method: 'tools/call', params });
  }

  listen(headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const request = { method: 'GET', token: this.token, headers: this.#headers({ headers }) };
    return sendRaw(this.url, { ...request, ...(signal && { signal }) });
  }

  end(): Promise<Response> {
    return sendRaw(this.url, { method: 'DELETE', token: this.token, headers: this.#headers({}) });
  }

  #headers({ headers }: RawMcpRequest): Record<string, string> {
    return { 'mcp-session-id': this.session, 'mcp-protocol-version': '2025-11-25', ...headers };
  }
}

export const initialize = (capabilities: JsonObject = {}, protocolVersion = '2025-11-25'): JsonObject => ({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities, clientInfo: { name: 'test', version: '1' } },
});

/** The body of an answer, whether it came as JSON or as the last event of a stream. */
export async function answerOf(response: Response): Promise<JsonObject> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    return (await response.json()) as JsonObject;
  }
  const messages = await new EventReader(response).rest();
  const last = messages.at(-1);
  if (last === undefined) throw new Error('the stream carried nothing');
  return last;
}
