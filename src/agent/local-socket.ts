import type { Clock } from '../lib/clock.ts';
import type { ServiceTarget, TargetTls } from './model.ts';

/** What a connection to a service tells. `closed` is the last, and comes exactly once. */
export interface LocalSocketReader {
  data(chunk: Uint8Array): void;
  /** What was written has left; more may follow. */
  drained(): void;
  /** The service sends no more. */
  ended(): void;
  closed(): void;
}

/** A connection to a service. Writes after its end are dropped. */
export interface LocalSocket {
  /** Takes all of it; `false` asks to wait for `drained`. */
  write(chunk: Uint8Array): boolean;
  /** Sends what was written, and then that there is no more. */
  finish(): void;
  pause(): void;
  resume(): void;
  /** Ends it at once; `closed` follows. */
  destroy(): void;
}

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
  const connection = new Connection(reader);
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
        socket.terminate();
        fail('certificate', error);
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

function tlsOptions({ serverName, ca, verify }: TargetTls) {
  return { serverName, rejectUnauthorized: verify, ...(ca !== undefined && { ca }) };
}

function failureOf(error: unknown): ConnectFailure {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
    ? 'refused'
    : 'unreachable';
}

/** The runtime takes as much as the system has room for; the rest waits here. */
class Connection implements LocalSocket {
  readonly #reader: LocalSocketReader;
  #socket: Bun.Socket | undefined;
  #waiting: Uint8Array[] = [];
  #isFinishing = false;
  #isShut = false;
  #isEnded = false;
  #isDestroyed = false;
  #isClosed = false;

  constructor(reader: LocalSocketReader) {
    this.#reader = reader;
  }

  attach(socket: Bun.Socket): void {
    // It may have been given up while it was being made.
    if (this.#isDestroyed) socket.terminate();
    else this.#socket = socket;
  }

  received(chunk: Uint8Array): void {
    if (!this.#isDestroyed) this.#reader.data(chunk);
  }

  ended(): void {
    if (this.#isEnded || this.#isDestroyed) return;
    this.#isEnded = true;
    this.#reader.ended();
  }

  closed(error: Error | undefined): void {
    const wasOpen = this.#socket !== undefined && !this.#isClosed;
    // Where this side has finished already, the runtime tells of the other's end by closing.
    if (wasOpen && error === undefined && this.#isShut) this.ended();
    this.#isClosed = true;
    this.#waiting = [];
    if (wasOpen) this.#reader.closed();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isDestroyed || this.#isClosed || this.#socket === undefined) return true;
    if (this.#waiting.length > 0) {
      this.#waiting.push(chunk);
      return false;
    }
    return this.#send(chunk);
  }

  /** Whether all of it left; the rest is first in line. */
  #send(chunk: Uint8Array): boolean {
    const sent = Math.max(0, this.#socket?.write(chunk) ?? 0);
    if (sent === chunk.byteLength) return true;
    this.#waiting.unshift(chunk.subarray(sent));
    return false;
  }

  drained(): void {
    for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift())
      if (!this.#send(chunk)) return;
    if (this.#isFinishing) this.#shut();
    else this.#reader.drained();
  }

  #shut(): void {
    this.#isShut = true;
    this.#socket?.shutdown();
  }

  finish(): void {
    if (this.#isFinishing || this.#isDestroyed) return;
    this.#isFinishing = true;
    if (this.#waiting.length === 0) this.#shut();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#waiting = [];
    this.#socket?.terminate();
  }
}
