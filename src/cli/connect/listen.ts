import { BufferedSocket } from '../../agent/buffered-socket.ts';
import type { Connector } from '../../agent/connect.ts';
import type { SocketJoin } from '../../agent/socket-join.ts';
import { parseListen } from '../../config/hosts.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { Io } from '../io.ts';
import { endingSignals } from '../serve/signals.ts';

interface Accepted {
  socket?: BufferedSocket;
  join?: SocketJoin;
}

/** Takes connections at an address and leads each to the service, until a signal. */
export async function listenFor(line: Connector, address: string, io: Io): Promise<void> {
  const at = parseListen(address);
  if (at === undefined) throw new CommandError('--listen: host:port, like 127.0.0.1:2222', 2);
  using signals = endingSignals(systemClock);
  const lead = async (socket: Bun.Socket<Accepted>) => {
    // What it sends waits in the system until there is somewhere for it to go.
    socket.pause();
    try {
      const join = await line.open(() => undefined);
      socket.data.join = join;
      socket.data.socket = new BufferedSocket(join);
      socket.data.socket.attach(socket);
      if (socket.readyState !== 1) return join.closed();
      join.attach(socket.data.socket);
      socket.resume();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      io.err(`postern: ${error.message}\n`);
      socket.terminate();
    }
  };
  const server = Bun.listen<Accepted>({
    hostname: at.hostname,
    port: at.port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.data = {};
        void lead(socket);
      },
      data: ({ data }, chunk) => data.socket?.received(chunk),
      drain: ({ data }) => data.socket?.drained(),
      end: ({ data }) => data.socket?.ended(),
      close: ({ data }, error) => data.socket?.closed(error),
      error: ({ data }) => data.socket?.destroy(),
    },
  });
  io.out(`listening on ${at.hostname.includes(':') ? `[${at.hostname}]` : at.hostname}:${server.port}`);
  await signals.first;
  server.stop(true);
}
