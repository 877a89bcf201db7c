import { createServer, request as sendOn } from 'node:http';

/** A proxy in front of the appliance, for clients that cannot send a token themselves: it adds one to `/mcp/<name>`. */
export interface McpForwarder extends AsyncDisposable {
  readonly port: number;
  /** The token for one backend from now on. */
  useToken(backend: string, token: string): void;
}

/** Passes everything on as it is, `Host` included. */
export async function startForwarder(port: number, target: number): Promise<McpForwarder> {
  const tokens = new Map<string, string>();
  const server = createServer((request, response) => {
    const [, backend = ''] = /^\/mcp\/([^/?]+)/.exec(request.url ?? '') ?? [];
    const token = tokens.get(backend);
    const headers = { ...request.headers };
    if (token !== undefined) headers.authorization ??= `Bearer ${token}`;
    const { method, url: path } = request;
    const onward = sendOn({ host: '127.0.0.1', port: target, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      response.flushHeaders();
    });
    onward.on('error', () => response.destroy());
    // A client that goes away takes its request with it.
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    useToken: (backend, token) => void tokens.set(backend, token),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
