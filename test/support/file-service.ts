import { BufferedSocket } from '../../src/agent/buffered-socket.ts';

/** A TCP service that sends one file to whoever connects, and takes a digest of what it is sent. */
export interface FileService extends Disposable {
  readonly port: number;
  /** SHA-256 of what each connection sent, in the order in which they ended. */
  readonly digests: string[];
}

const PIECE_BYTES = 65_536;

/** Each side closes on its own: sending ends after the file, receiving when the other end says so. */
export function startFileService(file: string): FileService {
  const digests: string[] = [];
  const server = Bun.listen<{ socket?: BufferedSocket }>({
    hostname: '127.0.0.1',
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        let room = Promise.withResolvers<void>();
        const hash = new Bun.SHA256();
        const buffered = new BufferedSocket({
          data: (chunk) => void hash.update(chunk),
          drained: () => room.resolve(),
          ended: () => void digests.push(hash.digest('hex')),
          closed: () => room.resolve(),
        });
        buffered.attach(socket);
        socket.data = { socket: buffered };
        void (async () => {
          for await (const chunk of Bun.file(file).stream()) {
            for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
              room = Promise.withResolvers();
              if (!buffered.write(chunk.subarray(at, at + PIECE_BYTES))) await room.promise;
            }
          }
          buffered.finish();
        })();
      },
      data: ({ data }, chunk) => data.socket?.received(chunk),
      drain: ({ data }) => data.socket?.drained(),
      end: ({ data }) => data.socket?.ended(),
      close: ({ data }, error) => data.socket?.closed(error),
    },
  });
  return { port: server.port, digests, [Symbol.dispose]: () => server.stop(true) };
}
