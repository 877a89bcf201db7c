/** A request as it reached the app. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface EchoApp extends AsyncDisposable {
  readonly port: number;
  /** Everything that reached it, oldest first. */
  readonly received: Received[];
}

/**
 * A small app that knows nothing of Postern: it tells everybody what it was told, as JSON and to browsers as a page.
 * A WebSocket to it is told who it is for, and gets back what it sends.
 */
export function startEchoApp(name: string): EchoApp {
  const received: Received[] = [];
  const server = Bun.serve<{ user: string }>({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request, running) {
      const { pathname, search } = new URL(request.url);
      const headers = request.headers.toJSON();
      const told = { method: request.method, target: pathname + search, headers, body: await request.text() };
      received.push(told);
      if (running.upgrade(request, { data: { user: headers['remote-user'] ?? '' } })) return undefined;
      return headers['accept']?.includes('text/html') === true ? page(name, told) : Response.json(told);
    },
    websocket: {
      open: (socket) => void socket.send(`hello ${socket.data.user}`),
      message: (socket, message) => void socket.send(message),
    },
  });
  const port = server.port;
  if (port === undefined) throw new Error('no port');
  return { port, received, [Symbol.asyncDispose]: () => server.stop(true) };
}

function page(name: string, told: Received): Response {
  const user = Bun.escapeHTML(told.headers['remote-user'] ?? '');
  const target = Bun.escapeHTML(told.target);
  const body = `<!doctype html><title>${name}</title><h1>${name}</h1><p id="user">${user}</p><p id="target">${target}</p>`;
  return new Response(body, { headers: { 'content-type': 'text/html; charset=utf-8' } });
}
