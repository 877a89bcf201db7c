/** An open event stream over a plain socket: `fetch` holds only a few hundred requests at a time. */
export interface RawEventStream extends Disposable {
  /** Whether its last byte has come. */
  readonly isOver: boolean;
  /** Everything that came, head included. */
  text(): string;
  /** Resolves with the time its last byte came, on the clock of `performance.now()`. */
  readonly over: Promise<number>;
}

/** What closes a body sent in chunks (RFC 9112 section 7.1). */
const LAST_CHUNK = '0\r\n\r\n';

/** Resolves once the stream has begun. @throws with the answer when there is none. */
export async function openRawEventStream(origin: string, cookie: string): Promise<RawEventStream> {
  const { host, port } = new URL(origin);
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<number>();
  let text = '';
  let isOver = false;
  const end = () => {
    if (!isOver) over.resolve(performance.now());
    isOver = true;
    begun.reject(new Error(`no stream: ${text.slice(0, 400)}`));
  };
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: Number(port),
    socket: {
      data(_, chunk) {
        text += chunk.toString('latin1');
        if (text.includes(': open\n\n')) begun.resolve();
        if (text.endsWith(LAST_CHUNK)) end();
      },
      close: end,
      error: (_, error) => begun.reject(error),
    },
  });
  socket.write(`GET /api/v1/sessions/events HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n\r\n`);
  await begun.promise;
  return {
    get isOver() {
      return isOver;
    },
    text: () => text,
    over: over.promise,
    [Symbol.dispose]: () => void socket.end(),
  };
}
