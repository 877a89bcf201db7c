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

export type Connect = (site: Where, person: Who, backend: string) => Promise<McpClient>;

/** `@modelcontextprotocol/client`, in one of its three ways to find out what a server speaks; `reach` is its way there. */
export const connectClient =
  (mode: VersionNegotiationMode, reach?: FetchLike): Connect =>
  async (site, person, backend) => {
    const oauth = new ScriptedOAuth(person);
    const heard: Heard[] = [];
    const open = async () => {
      const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
      client.setRequestHandler('sampling/createMessage', async () => sampled);
      client.setRequestHandler('elicitation/create', async () => elicited);
      client.setRequestHandler('roots/list', async () => roots);
      client.fallbackNotificationHandler = async (notification) => void heard.push(toHeard(notification));
      const transport = new StreamableHTTPClientTransport(new URL(site.resource(backend)), {
        authProvider: oauth,
        ...(reach && { fetch: reach }),
      });
      try {
        await client.connect(transport);
      } catch (error) {
        if (!(error instanceof UnauthorizedError) || oauth.callback === undefined) throw error;
        await transport.finishAuth(oauth.answer());
        return undefined;
      }
      return { client, transport };
    };
    const { client, transport } = (await open()) ?? (await open()) ?? notConnected();
    return {
      heard,
      get protocolVersion() {
        return client.getNegotiatedProtocolVersion();
      },
      get protocolSessionId() {
        return transport.sessionId;
      },
      get authorizations() {
        return oauth.authorizations;
      },
      tokens: () => oauth.tokens(),
      tools: async () => (await client.listTools()).tools.map(({ name }) => name),
      async call(name, given = {}, { onProgress, signal, meta } = {}) {
        const params = { name, arguments: given, ...(meta && { _meta: meta }) };
        const result = await client.callTool(params, requestOptions(onProgress, signal));
        return textOf(result);
      },
      async setLogLevel(level) {
        await client.setLoggingLevel(level);
      },
      async watch(uri) {
        if (client.getProtocolEra() === 'modern') await client.listen({ resourceSubscriptions: [uri] });
        else await client.subscribeResource({ uri });
      },
      [Symbol.asyncDispose]: () => client.close(),
    };
  };

/** `@modelcontextprotocol/sdk` of the first major version. */
export const connectSdk: Connect = async (site, person, backend) => {
  const oauth = new ScriptedOAuth(person);
  const heard: Heard[] = [];
  const open = async () => {
    const client = new SdkClient(INFO, { capabilities: CAPABILITIES });
    client.setRequestHandler(CreateMessageRequestSchema, () => sampled);
    client.setRequestHandler(ElicitRequestSchema, () => elicited);
    client.setRequestHandler(ListRootsRequestSchema, () => roots);
    client.fallbackNotificationHandler = async (notification) => void heard.push(toHeard(notification));
    const transport = new SdkTransport(new URL(site.resource(backend)), { authProvider: oauth });
    try {
      await client.connect(transport);
    } catch (error) {
      if (!(error instanceof SdkUnauthorizedError) || oauth.callback === undefined) throw error;
      await transport.finishAuth(oauth.answer().get('code') ?? '');
      return undefined;
    }
    return { client, transport };
  };
  const { client, transport } = (await open()) ?? (await open()) ?? notConnected();
  return {
    heard,
    get protocolVersion() {
      return transport.protocolVersion;
    },
    get protocolSessionId() {
      return transport.sessionId;
    },
    get authorizations() {
      return oauth.authorizations;
    },
    tokens: () => oauth.tokens(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, given = {}, { onProgress, signal, meta } = {}) {
      const params = { name, arguments: given, ...(meta && { _meta: meta }) };
      const result = await client.callTool(params, undefined, requestOptions(onProgress, signal));
      return textOf(result);
    },
    async setLogLevel(level) {
      await client.setLoggingLevel(level);
    },
    async watch(uri) {
      await client.subscribeResource({ uri });
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
};

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
