import { encodeAnswerHead, type RefusalCode } from '../tunnel/heads.ts';
import type { StreamReader, TunnelStream } from '../tunnel/model.ts';
import { type ConnectDeps, ConnectError, connectLocal } from './local-socket.ts';
import type { TcpTarget } from './model.ts';
import { refuse } from './refuse.ts';
import { SocketJoin } from './socket-join.ts';

export interface ServeTcpDeps extends ConnectDeps {
  stream: TunnelStream;
  target: TcpTarget;
  onRefused: (code: RefusalCode, error?: unknown) => void;
  onClosed: () => void;
}

/** Connects a stream with a TCP service. Returns what takes the visitor's bytes. */
export function serveTcp(deps: ServeTcpDeps): StreamReader {
  const { stream, target, onRefused, onClosed } = deps;
  const join = new SocketJoin(stream, onClosed);
  const fail = (error: unknown) => {
    if (join.isOver) return;
    const isLate = error instanceof ConnectError && error.failure === 'timeout';
    const code = isLate ? 'service_timeout' : 'service_unreachable';
    onRefused(code, error);
    join.close();
    refuse(stream, code);
  };
  void (async () => {
    try {
      const socket = await connectLocal(target, join, deps);
      if (!join.isOver) join.write(encodeAnswerHead({ status: 200, headers: [] }));
      join.attach(socket);
    } catch (error) {
      fail(error);
    }
  })();
  return join.fromStream;
}
