import { target } from './agent-stream.ts';

/** A web app as it stands on a device: it tells what it was asked, streams, and echoes over a WebSocket. */
export function deviceService() {
  const asked: { method: string; target: string; headers: Record<string, string> }[] = [];
  const open = new Set<string>();
  const ended: string[] = [];
  const hold = (name: string) => {
    open.add(name);
    return () => {
      open.delete(name);
      ended.push(name);
    };
  };

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: 2 ** 40,
    websocket: {
      maxPayloadLength: 16 << 20,
      backpressureLimit: 64 << 20,
      message: (socket, message) => {
        if (message === 'bye') socket.close(4_000, 'as asked');
        else if (message === 'cut') socket.terminate();
        // What is not taken at once is sent later, and nothing is read meanwhile.
        else if (socket.send(message) === -1) socket.pause();
      },
      drain: (socket) => socket.resume(),
      close: (_socket, code, reason) => void ended.push(`socket ${code} ${reason}`),
    },
    async fetch(request, server) {
      const { pathname, search } = new URL(request.url);
      const headers = Object.fromEntries(request.headers);
      asked.push({ method: request.method, target: pathname + search, headers });
      switch (pathname) {
        case '/socket': {
          const isOffered = request.headers.has('sec-websocket-protocol');
          const agreed = isOffered ? { headers: { 'sec-websocket-protocol': 'echo' } } : {};
          return server.upgrade(request, agreed) ? undefined : new Response('no socket', { status: 400 });
        }
        case '/no-socket':
          return new Response('no', { status: 403 });
        case '/events':
          return eventStream(request, hold('events'));
        case '/never':
          return never(request, hold('never'));
        case '/zeros':
          return zeros(request, Number(new URLSearchParams(search).get('bytes')), hold('zeros'));
        case '/hash':
          return hashOf(request, hold('hash'));
        case '/early':
          return new Response('enough', { status: 413 });
        case '/cookies':
          return new Response('set', {
            headers: [
              ['set-cookie', 'theirs=1; Domain=example.test; Path=/'],
              ['set-cookie', '__Host-postern=x; Path=/'],
              ['location', '/elsewhere'],
              ['strict-transport-security', 'max-age=1'],
              ['content-security-policy', "default-src 'self'"],
            ],
          });
        case '/empty':
          return new Response(null, { status: 204 });
        case '/broken':
          return broken();
        default:
          return Response.json({
            method: request.method,
            target: pathname + search,
            headers,
            body: await request.text(),
          });
      }
    },
  });

  return {
    asked,
    open,
    ended,
    port: server.port ?? 0,
    target: target(`http://127.0.0.1:${server.port}`),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function eventStream({ signal }: Request, ended: () => void): Response {
  signal.addEventListener('abort', ended);
  let count = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (count > 0) await Bun.sleep(5);
      controller.enqueue(Buffer.from(`data: ${count++}\n\n`));
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

function never({ signal }: Request, ended: () => void): Promise<Response> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      ended();
      resolve(new Response(null));
    });
  });
}

const PIECE = new Uint8Array(65_536);

function zeros({ signal }: Request, bytes: number, ended: () => void): Response {
  signal.addEventListener('abort', ended);
  let left = bytes;
  return new Response(
    new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = PIECE.subarray(0, Math.min(left, PIECE.length));
        left -= piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (left === 0) controller.close();
      },
    }),
  );
}

async function hashOf(request: Request, ended: () => void): Promise<Response> {
  const hash = new Bun.CryptoHasher('sha256');
  let bytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return Response.json({ bytes, sha256: hash.digest('hex') });
  } catch {
    return new Response('cut', { status: 400 });
  } finally {
    ended();
  }
}

function broken(): Response {
  let pieces = 0;
  return new Response(
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        await Bun.sleep(5);
        if (++pieces > 3) controller.error(undefined);
        else controller.enqueue(PIECE);
      },
    }),
  );
}
