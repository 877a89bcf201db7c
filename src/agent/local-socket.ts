import type { Clock } from '../lib/clock.ts';
import { BufferedSocket, type LocalSocket, type LocalSocketReader } from './buffered-socket.ts';
import type { ServiceTarget, TargetTls } from './model.ts';

export type ConnectFailure = 'refused' | 'unreachable' | 'timeout' | 'certificate';

/** A service that could not be reached. The message names neither address nor cause: they stay on the device. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly failure: ConnectFailure;

  constructor(failure: ConnectFailure, options: { cause?: unknown } = {}) {
    super(`the service cannot be reached: ${failure}`, options);
    this.failure = failure;
  }
}

export interface ConnectDeps {
  clock: Clock;
  timeoutMs: number;
}

/**
 * Connects to a service, TLS included.
 * @throws ConnectError
 */
export function connectLocal(
  target: ServiceTarget,
  reader: LocalSocketReader,
  { clock, timeoutMs }: ConnectDeps,
): Promise<LocalSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<LocalSocket>();
  const connection = new BufferedSocket(reader);
  const fail = (failure: ConnectFailure, cause?: unknown) => {
    timer[Symbol.dispose]();
    connection.destroy();
    reject(new ConnectError(failure, { cause }));
  };
  const ready = (socket: Bun.Socket) => {
    timer[Symbol.dispose]();
    connection.attach(socket);
    resolve(connection);
  };
  const timer = clock.setTimer(timeoutMs, () => fail('timeout'));
  const tls = target.kind === 'http' ? target.tls : undefined;
  Bun.connect({
    hostname: target.hostname,
    port: target.port,
    allowHalfOpen: true,
    ...(tls && { tls: tlsOptions(tls) }),
    socket: {
      open(socket) {
        if (tls === undefined) ready(socket);
      },
      handshake(socket, _, error) {
        if (error === null || error === undefined || tls?.verify === false) return ready(socket);
        fail('certificate', error);
        socket.terminate();
      },
      data: (_, chunk) => connection.received(chunk),
      drain: () => connection.drained(),
      end: () => connection.ended(),
      close(_, error) {
        connection.closed(error);
        // Without effect on one that was open.
        fail('unreachable');
      },
      error: () => connection.destroy(),
      connectError: (_, error) => fail(failureOf(error), error),
    },
  }).catch((error: unknown) => fail(failureOf(error), error));
  return promise;
}

/** What the runtime is told of a certificate: whose it has to be, and who may have signed it. */
export function tlsOptions({ serverName, ca, verify }: TargetTls) {
  return { serverName, rejectUnauthorized: verify, ...(ca !== undefined && { ca }) };
}

function failureOf(error: unknown): ConnectFailure {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
    ? 'refused'
    : 'unreachable';
}
