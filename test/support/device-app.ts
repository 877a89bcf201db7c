/** A web app on a device, hostile where a test wants it so: its answers are what the address of a page says. */
export interface DeviceApp extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Streams of events whose reader has gone. */
  readonly cancelledStreams: number;
  /** Method and path of every request that reached it. */
  readonly seen: readonly string[];
}

/** Registered by a page, it answers every navigation to the host itself. */
const SERVICE_WORKER = `self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate') return;
  event.respondWith(fetch(event.request).then((response) =>
    response.type === 'opaqueredirect' ? response : new Response('<h1>hijacked</h1>', { headers: { 'content-type': 'text/html' } })));
});`;

const EVENT_MS = 50;

export function startDeviceApp(name: string): DeviceApp {
  let cancelledStreams = 0;
  const seen: string[] = [];
  const pages: Readonly<Record<string, (request: Request, url: URL) => Response>> = {
    '/': () => html(`<h1>${name}</h1>`),
    '/headers': (request) => Response.json(Object.fromEntries(request.headers)),
    '/events': () => events(() => cancelledStreams++),
    '/worker.js': () => text(SERVICE_WORKER, 'text/javascript', { 'service-worker-allowed': '/' }),
    '/cached.js': () =>
      text(`document.title = '${name}'`, 'text/javascript', {
        'cache-control': 'max-age=31536000, immutable',
      }),
    '/answer': (_request, url) => {
      const headers = JSON.parse(url.searchParams.get('headers') ?? '[]') as [string, string][];
      return html('answered', new Headers(headers));
    },
  };
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request, bun) {
      const url = new URL(request.url);
      seen.push(`${request.method} ${url.pathname}`);
      if (url.pathname === '/socket' && bun.upgrade(request)) return undefined;
      return pages[url.pathname]?.(request, url) ?? html(`<h1>${name}: ${url.pathname}</h1>`);
    },
    websocket: {
      open: (socket) => void socket.send(`hello from ${name}`),
      message: (socket, message) => void socket.send(`echo ${String(message)}`),
    },
  });
  const { port = 0 } = server;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    seen,
    get cancelledStreams() {
      return cancelledStreams;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const html = (body: string, headers: Bun.HeadersInit = {}) =>
  text(`<!doctype html>${body}`, 'text/html', headers);

function text(body: string, type: string, more: Bun.HeadersInit): Response {
  const headers = new Headers(more);
  headers.set('content-type', type);
  return new Response(body, { headers });
}

/** One event after the other, until nobody reads them. */
function events(onCancel: () => void): Response {
  let timer: ReturnType<typeof setInterval>;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      let at = 0;
      timer = setInterval(() => controller.enqueue(Buffer.from(`data: ${++at}\n\n`)), EVENT_MS);
    },
    cancel() {
      clearInterval(timer);
      onCancel();
    },
  });
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
}
