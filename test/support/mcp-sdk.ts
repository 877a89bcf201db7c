import {
  Client,
  type FetchLike,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client';
import { UnauthorizedError as SdkUnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as SdkClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as SdkTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { McpPerson, McpSite } from './mcp-site.ts';

type Where = Pick<McpSite, 'resource'>;
type Who = Pick<McpPerson, 'authorize'>;

/** The official clients of MCP, driven by somebody who signs in and consents by script. */

export interface Heard {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

export interface CallOptions {
  onProgress?: (progress: number) => void;
  signal?: AbortSignal;
  /** `_meta` of the request. */
  meta?: Record<string, unknown>;
}

/** What every one of them can do. */
export interface McpClient extends AsyncDisposable {
  readonly protocolVersion: string | undefined;
  /** The protocol session, where there is one. */
  readonly protocolSessionId: string | undefined;
  /** How many event streams it has opened that belong to no call: one that breaks and is opened again counts twice. */
  readonly streamsOpened: number;
  /** Notifications, in their order. */
  readonly heard: readonly Heard[];
  /** How often it went through the page of consent. */
  readonly authorizations: number;
  tools(): Promise<string[]>;
  /** The text of the result. @throws when the call failed. */
  call(name: string, given?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  setLogLevel(level: 'debug' | 'info' | 'error'): Promise<void>;
  /** Hears `notifications/resources/updated` of a resource from now on. */
  watch(uri: string): Promise<void>;
  /** What the last token answer said. */
  tokens(): StoredOAuthTokens | undefined;
}

const REDIRECT_URI = 'http://127.0.0.1/callback';
const INFO = { name: 'test-client', version: '1.0.0' };
const CAPABILITIES = { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } };
const CALL_TIMEOUT_MS = 30_000;

/** What the person and the model behind the client answer. */
export const SAMPLED = 'a line of the model';
export const ELICITED = { name: 'Ada Example', check: true };
export const ROOT = 'file:///home/ada/work';
const sampled = {
  role: 'assistant' as const,
  model: 'test-model',
  content: { type: 'text' as const, text: SAMPLED },
};
const elicited = { action: 'accept' as const, content: ELICITED };
const roots = { roots: [{ uri: ROOT, name: 'work' }] };

/** Keeps in memory what a client keeps between flows. */
class ScriptedOAuth implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT_URI;
  readonly clientMetadata = {
    client_name: 'Test client',
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  authorizations = 0;
  /** Where the person was sent back to. */
  callback: URL | undefined;
  readonly #person: Who;
  #information: StoredOAuthClientInformation | undefined;
  #tokens: StoredOAuthTokens | undefined;
  #verifier = '';
  #discovery: OAuthDiscoveryState | undefined;

  constructor(person: Who) {
    this.#person = person;
  }

  clientInformation(): StoredOAuthClientInformation | undefined {
    return this.#information;
  }
  saveClientInformation(information: StoredOAuthClientInformation): void {
    this.#information = information;
  }
  tokens(): StoredOAuthTokens | undefined {
    return this.#tokens;
  }
  saveTokens(tokens: StoredOAuthTokens): void {
    this.#tokens = tokens;
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }
  codeVerifier(): string {
    return this.#verifier;
  }
  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#discovery = state;
  }
  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovery;
  }
  async redirectToAuthorization(url: URL): Promise<void> {
    this.authorizations++;
    this.callback = await this.#person.authorize(url);
  }
  answer(): URLSearchParams {
    return this.callback?.searchParams ?? new URLSearchParams();
  }
}

/** A client as seen from outside: its person, what it hears, the streams that it opens. */
class Observed {
  readonly oauth: ScriptedOAuth;
  readonly heard: Heard[] = [];
  streamsOpened = 0;
  readonly #reach: FetchLike;

  constructor(person: Who, reach: FetchLike = fetch) {
    this.oauth = new ScriptedOAuth(person);
    this.#reach = reach;
  }

  hear(notification: { method: string; params?: unknown }): void {
    this.heard.push(toHeard(notification));
  }

  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await this.#reach(url, init);
    const { method, body } = init ?? {};
    const listens = typeof body === 'string' && body.includes('"subscriptions/listen"');
    const asksForStream = method === 'GET' || listens;
    if (asksForStream && response.headers.get('content-type') === 'text/event-stream') this.streamsOpened++;
    return response;
  };
}

export type Connect = (site: Where, person: Who, backend: string) => Promise<McpClient>;

/** `@modelcontextprotocol/client`, in one of its three ways to find out what a server speaks; `reach` is its way there. */
export const connectClient =
  (mode: VersionNegotiationMode, reach?: FetchLike): Connect =>
  async (site, person, backend) => {
    const seen = new Observed(person, reach);
    const open = async () => {
      const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
      client.setRequestHandler('sampling/createMessage', async () => sampled);
      client.setRequestHandler('elicitation/create', async () => elicited);
      client.setRequestHandler('roots/list', async () => roots);
      client.fallbackNotificationHandler = async (notification) => seen.hear(notification);
      const transport = new StreamableHTTPClientTransport(new URL(site.resource(backend)), {
        authProvider: seen.oauth,
        fetch: seen.fetch,
      });
      try {
        await client.connect(transport);
      } catch (error) {
        if (!(error instanceof UnauthorizedError) || seen.oauth.callback === undefined) throw error;
        await transport.finishAuth(seen.oauth.answer());
        return undefined;
      }
      return { client, transport };
    };
    const { client, transport } = (await open()) ?? (await open()) ?? notConnected();
    return asMcpClient(seen, {
      protocolVersion: () => client.getNegotiatedProtocolVersion(),
      protocolSessionId: () => transport.sessionId,
      listTools: () => client.listTools(),
      callTool: (params, options) => client.callTool(params, options),
      setLoggingLevel: (level) => client.setLoggingLevel(level),
      watch: (uri) =>
        client.getProtocolEra() === 'modern'
          ? client.listen({ resourceSubscriptions: [uri] })
          : client.subscribeResource({ uri }),
      close: () => client.close(),
    });
  };

/** `@modelcontextprotocol/sdk` of the first major version. */
export const connectSdk: Connect = async (site, person, backend) => {
  const seen = new Observed(person);
  const open = async () => {
    const client = new SdkClient(INFO, { capabilities: CAPABILITIES });
    client.setRequestHandler(CreateMessageRequestSchema, () => sampled);
    client.setRequestHandler(ElicitRequestSchema, () => elicited);
    client.setRequestHandler(ListRootsRequestSchema, () => roots);
    client.fallbackNotificationHandler = async (notification) => seen.hear(notification);
    const transport = new SdkTransport(new URL(site.resource(backend)), {
      authProvider: seen.oauth,
      fetch: seen.fetch,
    });
    try {
      await client.connect(transport);
    } catch (error) {
      if (!(error instanceof SdkUnauthorizedError) || seen.oauth.callback === undefined) throw error;
      await transport.finishAuth(seen.oauth.answer().get('code') ?? '');
      return undefined;
    }
    return { client, transport };
  };
  const { client, transport } = (await open()) ?? (await open()) ?? notConnected();
  return asMcpClient(seen, {
    protocolVersion: () => transport.protocolVersion,
    protocolSessionId: () => transport.sessionId,
    listTools: () => client.listTools(),
    callTool: (params, options) => client.callTool(params, undefined, options),
    setLoggingLevel: (level) => client.setLoggingLevel(level),
    watch: (uri) => client.subscribeResource({ uri }),
    close: () => client.close(),
  });
};

/** What an official client offers, each in its own words. */
interface Official {
  protocolVersion(): string | undefined;
  protocolSessionId(): string | undefined;
  listTools(): Promise<{ tools: readonly { name: string }[] }>;
  callTool(
    params: { name: string; arguments: Record<string, unknown>; _meta?: Record<string, unknown> },
    options: ReturnType<typeof requestOptions>,
  ): Promise<object>;
  setLoggingLevel(level: 'debug' | 'info' | 'error'): Promise<unknown>;
  watch(uri: string): Promise<unknown>;
  close(): Promise<void>;
}

function asMcpClient(seen: Observed, official: Official): McpClient {
  return {
    heard: seen.heard,
    get streamsOpened() {
      return seen.streamsOpened;
    },
    get protocolVersion() {
      return official.protocolVersion();
    },
    get protocolSessionId() {
      return official.protocolSessionId();
    },
    get authorizations() {
      return seen.oauth.authorizations;
    },
    tokens: () => seen.oauth.tokens(),
    tools: async () => (await official.listTools()).tools.map(({ name }) => name),
    async call(name, given = {}, { onProgress, signal, meta } = {}) {
      const params = { name, arguments: given, ...(meta && { _meta: meta }) };
      return textOf(await official.callTool(params, requestOptions(onProgress, signal)));
    },
    async setLogLevel(level) {
      await official.setLoggingLevel(level);
    },
    async watch(uri) {
      await official.watch(uri);
    },
    [Symbol.asyncDispose]: () => official.close(),
  };
}

/** Every client that speaks HTTP, by a name for tests. */
export const CLIENTS: readonly (readonly [name: string, era: 'legacy' | 'modern', connect: Connect])[] = [
  ['client 2.4, legacy', 'legacy', connectClient('legacy')],
  ['client 2.4, auto', 'modern', connectClient('auto')],
  ['client 2.4, pinned', 'modern', connectClient({ pin: '2026-07-28' })],
  ['sdk 1', 'legacy', connectSdk],
];

function requestOptions(onProgress: CallOptions['onProgress'], signal: AbortSignal | undefined) {
  return {
    timeout: CALL_TIMEOUT_MS,
    ...(onProgress && { onprogress: ({ progress }: { progress: number }) => onProgress(progress) }),
    ...(signal && { signal }),
  };
}

function toHeard({ method, params }: { method: string; params?: unknown }): Heard {
  return { method, params: typeof params === 'object' && params !== null ? { ...params } : {} };
}

function textOf(result: object): string {
  const { content, isError } = result as { content?: { text?: string }[]; isError?: boolean };
  const text = (content ?? []).map((part) => part.text ?? '').join('\n');
  if (isError === true) throw new Error(`the tool failed: ${text}`);
  return text;
}

function notConnected(): never {
  throw new Error('the client did not connect after it was authorized');
}
