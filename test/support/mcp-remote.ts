import {
  createMcpHandler,
  inputRequired,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** A remote MCP server on loopback, by the official SDK, with what it saw. */
export interface RemoteServer extends AsyncDisposable {
  readonly url: string;
  /** Requests that arrived: method, and the headers that matter. */
  readonly seen: { method: string; authorization: string | null; headers: Headers }[];
  /** Protocol sessions that are open (legacy). */
  readonly sessions: () => number;
  /** Forgets all protocol sessions, as a restart does. */
  forget(): void;
  /** Says that the tools have changed, of its own accord. */
  changeTools(): void;
  /** Says that a resource has changed. */
  changeResource(uri: string): void;
  /** Answers in the place of the server. */
  instead: ((request: Request) => Response | undefined) | undefined;
}

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

function newServer(): McpServer {
  const server = new McpServer(
    { name: 'remote', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        logging: {},
        resources: { listChanged: true, subscribe: true },
      },
      instructions: 'Far away.',
    },
  );
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text: value }) =>
    text(value),
  );
  server.registerTool('token', { inputSchema: z.object({}) }, (_args, ctx) =>
    text(ctx.http?.req?.headers.get('authorization') ?? 'none'),
  );
  server.registerTool('progress', { inputSchema: z.object({}) }, async (_args, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    if (progressToken !== undefined) {
      await ctx.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress: 1, total: 2 },
      });
    }
    return text('done');
  });
  server.registerTool('ask', { inputSchema: z.object({}) }, async (_args, ctx) => {
    const question = {
      message: 'Name?',
      requestedSchema: { type: 'object' as const, properties: { name: { type: 'string' as const } } },
    };
    const response = ctx.mcpReq.inputResponses?.['who'];
    if (response !== undefined) return text(JSON.stringify(response));
    if (ctx.mcpReq.envelope !== undefined) {
      return inputRequired({ inputRequests: { who: inputRequired.elicit({ mode: 'form', ...question }) } });
    }
    return text(JSON.stringify(await ctx.mcpReq.elicitInput({ mode: 'form', ...question })));
  });
  server.registerTool('slow', { inputSchema: z.object({}) }, (_args, ctx) => {
    const { signal } = ctx.mcpReq;
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(text('cancelled'))));
  });
  return server;
}

function listen(
  serve: (request: Request) => Promise<Response>,
  rest: Pick<RemoteServer, 'sessions' | 'forget' | 'changeTools' | 'changeResource'> & {
    close: () => Promise<void>;
  },
): RemoteServer {
  const seen: RemoteServer['seen'] = [];
  const http = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const { method, headers } = request;
      seen.push({ method, authorization: headers.get('authorization'), headers });
      const other = remote.instead?.(request);
      return other ?? serve(request);
    },
  });
  const { close, ...visible } = rest;
  const remote: RemoteServer = {
    url: `http://127.0.0.1:${http.port}/mcp`,
    seen,
    instead: undefined,
    ...visible,
    async [Symbol.asyncDispose]() {
      await close();
      await http.stop(true);
    },
  };
  return remote;
}

/** One of 2025-11-25, with protocol sessions. */
export function legacyRemote(options: { json?: boolean } = {}): RemoteServer {
  const open = new Map<string, { transport: WebStandardStreamableHTTPServerTransport; server: McpServer }>();

  const begin = async (request: Request) => {
    const server = newServer();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      enableJsonResponse: options.json ?? false,
      onsessioninitialized: (id) => void open.set(id, { transport, server }),
      onsessionclosed: (id) => void open.delete(id),
    });
    await server.connect(transport);
    return transport.handleRequest(request);
  };
  const serve = async (request: Request): Promise<Response> => {
    const id = request.headers.get('mcp-session-id');
    if (id === null) return begin(request);
    const known = open.get(id);
    if (known !== undefined) return known.transport.handleRequest(request);
    const error = { code: -32_001, message: 'Session not found' };
    return Response.json({ jsonrpc: '2.0', id: null, error }, { status: 404 });
  };
  const all = () => [...open.values()];
  return listen(serve, {
    sessions: () => open.size,
    forget: () => open.clear(),
    changeTools: () => {
      for (const { server } of all()) server.sendToolListChanged();
    },
    changeResource: (uri) => {
      for (const { server } of all()) void server.server.sendResourceUpdated({ uri });
    },
    close: async () => {
      for (const { server } of all()) await server.close();
    },
  });
}

/** One of 2026-07-28 that knows nothing else. */
export function modernRemote(): RemoteServer {
  const handler = createMcpHandler(newServer, { legacy: 'reject' });
  return listen((request) => handler.fetch(request), {
    sessions: () => 0,
    forget: () => undefined,
    changeTools: () => handler.notify.toolsChanged(),
    changeResource: (uri) => handler.notify.resourceUpdated(uri),
    close: () => handler.close(),
  });
}
