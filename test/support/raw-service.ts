/** A service that says, byte for byte, what a test wants it to say. */
export interface RawService extends Disposable {
  readonly port: number;
  readonly url: string;
  /** What each connection sent, oldest first. */
  readonly received: string[];
  /** Connections that are open. */
  readonly open: number;
}

/** `reply` is asked for each piece that arrives, with all that its connection has sent; what it returns is sent back. */
export function rawService(
  reply: (received: string, socket: Bun.Socket<{ index: number }>) => string | Uint8Array | undefined,
): RawService {
  const received: string[] = [];
  let open = 0;
  const server = Bun.listen<{ index: number }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        open++;
        socket.data = { index: received.push('') - 1 };
      },
      close: () => void open--,
      data(socket, chunk) {
        const { index } = socket.data;
        received[index] += chunk.toString('latin1');
        const answer = reply(received[index] ?? '', socket);
        if (answer !== undefined) socket.write(answer);
      },
    },
  });
  return {
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    received,
    get open() {
      return open;
    },
    [Symbol.dispose]: () => server.stop(true),
  };
}
