import type {
  Attachment,
  BackendConnection,
  Broker,
  Exchange,
  Holder,
  Lease,
  ServerAbout,
  UnsolicitedView,
} from '../../src/mcp/exchange.ts';
import { INVALID_PARAMS, type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from '../../src/mcp/json-rpc.ts';
import type { Backend } from '../../src/mcp/model.ts';

export const FIXTURE_ABOUT: ServerAbout = {
  protocolVersion: '2025-11-25',
  serverInfo: { name: 'fixture', version: '1.0.0' },
  capabilities: {
    tools: { listChanged: true },
    prompts: {},
    logging: {},
    resources: { subscribe: true },
    tasks: {},
  },
  instructions: 'Be kind.',
};

/** A backend as configuration would compile it. */
export function fixtureBackend(name: string, origin: string, overrides: Partial<Backend> = {}): Backend {
  return {
    name,
    resource: `${origin}/mcp/${name}`,
    scope: `mcp:${name}`,
    provider: undefined,
    sharing: 'grant',
    tools: { allow: undefined, deny: [] },
    messageBytes: 64 * 1024,
    limits: { childrenPerUser: 4, children: 16, queue: 64, startTimeoutMs: 5_000 },
    transport: { kind: 'stdio', argv: ['fixture'], env: {}, isolation: 'exempt', cache: undefined },
    mayUse: () => true,
    ...overrides,
  };
}

type Tool = (exchange: Exchange, fixture: FixtureBroker) => Promise<JsonObject> | JsonObject;

const text = (value: string): JsonObject => ({ content: [{ type: 'text', text: value }] });
const argumentsOf = (exchange: Exchange) => (exchange.params?.['arguments'] ?? {}) as JsonObject;
const FORM = { message: 'Who are you?', requestedSchema: { type: 'object', properties: {} } };

const TOOLS: Readonly<Record<string, Tool>> = {
  echo: (exchange) => text(String(argumentsOf(exchange)['text'])),
  progress(exchange) {
    const progressToken = (exchange.params?.['_meta'] as JsonObject | undefined)?.['progressToken'];
    exchange.notify('notifications/progress', { progressToken, progress: 1, total: 2 });
    return text('done');
  },
  log(exchange) {
    exchange.notify('notifications/message', { level: 'debug', data: 'fine print' });
    exchange.notify('notifications/message', { level: 'error', data: 'big news' });
    return text('logged');
  },
  /** Answers when the test says so. */
  gate: async (exchange, fixture) => {
    await fixture.gate(exchange);
    return text('through the gate');
  },
  ask: async (exchange) => text(JSON.stringify(await exchange.ask('elicitation/create', FORM, 'who'))),
  askThree: async (exchange) => {
    const answers = await Promise.all([
      exchange.ask('elicitation/create', FORM),
      exchange.ask('sampling/createMessage', { messages: [], maxTokens: 1 }),
      exchange.ask('roots/list'),
    ]);
    return text(JSON.stringify(answers));
  },
  sample: async (exchange) => {
    try {
      return text(
        JSON.stringify(await exchange.ask('sampling/createMessage', { messages: [], maxTokens: 1 })),
      );
    } catch (error) {
      return { ...text(error instanceof Error ? error.message : ''), isError: true };
    }
  },
  copes: async (exchange) => {
    await exchange.ask('roots/list').catch(() => undefined);
    return text('without roots');
  },
  forecast: () => text('rain'),
  fail() {
    throw new JsonRpcError(-32_050, 'Out of paper', { tray: 2 });
  },
  /** Nested so deeply that nobody can write it. */
  abyss(exchange) {
    let deep: unknown = [];
    for (let depth = 0; depth < 200_000; depth++) deep = [deep];
    exchange.notify('notifications/progress', { deep });
    return { content: [], structuredContent: { deep } };
  },
  burst(exchange) {
    for (let number = 1; number <= 400; number++)
      exchange.notify('notifications/progress', { progress: number });
    return text('burst');
  },
};

/** One tool wants its arguments in headers as well. */
function schemaOf(name: string): JsonObject {
  if (name !== 'forecast') return { type: 'object' };
  const region = { type: 'string', 'x-mcp-header': 'Region' };
  const days = { type: 'integer', 'x-mcp-header': 'Days' };
  return { type: 'object', properties: { region, days } };
}

/** A broker with one backend in this very process: what the HTTP side of MCP is tested over. */
export class FixtureBroker implements Broker {
  /** Leases that somebody has. */
  leases = 0;
  /** Requests that reached the backend. */
  readonly calls: Exchange[] = [];
  readonly notifications: { method: string; params: JsonObject | undefined }[] = [];
  readonly views = new Map<UnsolicitedView, { holder: Holder; subscriptions: Set<string> }>();
  readonly forgotten: Holder[] = [];
  /** What `lease` throws. */
  refusal: Error | undefined;
  cached: ServerAbout | undefined;
  readonly #gates = new Map<Exchange, () => void>();

  readonly #connection: BackendConnection = {
    era: 'legacy',
    about: FIXTURE_ABOUT,
    generation: 1,
    call: (exchange) => this.#call(exchange),
    notify: (method, params) => void this.notifications.push({ method, params }),
    exited: new Promise(() => undefined),
    end: () => Promise.resolve(),
  };

  lease(): Lease {
    if (this.refusal !== undefined) throw this.refusal;
    this.leases++;
    let released = false;
    return {
      connection: this.#connection,
      release: () => {
        if (!released) this.leases--;
        released = true;
      },
    };
  }

  attach(
    holder: Holder,
    view: UnsolicitedView,
    initial: { subscriptions?: readonly string[] } = {},
  ): Attachment {
    const subscriptions = new Set(initial.subscriptions);
    this.views.set(view, { holder, subscriptions });
    return {
      setLogLevel: () => Promise.resolve(),
      subscribe: async (uri) => {
        if (uri.startsWith('bad:')) throw new JsonRpcError(INVALID_PARAMS, 'No such resource');
        subscriptions.add(uri);
      },
      unsubscribe: async (uri) => void subscriptions.delete(uri),
      [Symbol.dispose]: () => void this.views.delete(view),
    };
  }

  cachedAbout(): ServerAbout | undefined {
    return this.cached;
  }

  forget(holder: Holder): void {
    this.forgotten.push(holder);
  }

  running(): [] {
    return [];
  }

  /** Says something that belongs to no request. */
  announce(method: string, params?: JsonObject): boolean {
    return [...this.views.keys()].map((view) => view.deliver(method, params)).some(Boolean);
  }

  gate(exchange: Exchange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gates.set(exchange, resolve);
      exchange.signal.addEventListener('abort', () => reject(exchange.signal.reason as Error), {
        once: true,
      });
    });
  }

  /** Lets every call through that waits at the gate. */
  openGate(): void {
    for (const open of this.#gates.values()) open();
    this.#gates.clear();
  }

  async #call(exchange: Exchange): Promise<JsonObject> {
    this.calls.push(exchange);
    switch (exchange.method) {
      case 'tools/list':
        return { tools: Object.keys(TOOLS).map((name) => ({ name, inputSchema: schemaOf(name) })) };
      case 'tools/call':
        return this.#callTool(exchange);
      case 'resources/read':
        throw new JsonRpcError(-32_002, 'Resource not found', { uri: exchange.params?.['uri'] });
      default:
        throw new JsonRpcError(METHOD_NOT_FOUND, 'Method not found');
    }
  }

  async #callTool(exchange: Exchange): Promise<JsonObject> {
    const tool = TOOLS[String(exchange.params?.['name'])];
    if (tool === undefined) throw new JsonRpcError(INVALID_PARAMS, 'Unknown tool');
    return tool(exchange, this);
  }
}
