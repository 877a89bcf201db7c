/** A balancer in front of several servers of this machine. */
export interface RoundRobin extends AsyncDisposable {
  readonly port: number;
}

const MISDIRECTED = 421;

/**
 * Hands each request to the next of `ports`, as a balancer does that knows no sessions; one that nobody listens at is passed
 * over, and one that answers 421 (another node does this). Host and path stay as they came.
 */
export function startRoundRobin(ports: readonly number[], listenPort = 0): RoundRobin {
  let turn = 0;
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: listenPort,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = request.body === null ? undefined : await request.arrayBuffer();
      for (let tried = 0; tried < ports.length; tried++) {
        const port = ports[turn++ % ports.length];
        try {
          const answer = await fetch(`http://127.0.0.1:${port}${pathname}${search}`, {
            method: request.method,
            headers: request.headers,
            redirect: 'manual',
            decompress: false,
            signal: request.signal,
            ...(body !== undefined && { body }),
          });
          if (answer.status !== MISDIRECTED || tried === ports.length - 1) return answer;
          await answer.body?.cancel();
        } catch (error) {
          // Only where nothing of it was taken may another be asked the same.
          if (!isNobodyThere(error)) return new Response('the server went away', { status: 502 });
        }
      }
      return new Response('no server listens', { status: 502 });
    },
  });
  return { port: server.port ?? 0, [Symbol.asyncDispose]: () => server.stop(true) };
}

function isNobodyThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ConnectionRefused';
}
