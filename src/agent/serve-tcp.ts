import { encodeAnswerHead, type RefusalCode } from '../tunnel/heads.ts';
import type { StreamReader, TunnelStream } from '../tunnel/model.ts';
import {
  type ConnectDeps,
  ConnectError,
  connectLocal,
  type LocalSocket,
  type LocalSocketReader,
} from './local-socket.ts';
import type { TcpTarget } from './model.ts';
import { refuse } from './refuse.ts';

export interface ServeTcpDeps extends ConnectDeps {
  stream: TunnelStream;
  target: TcpTarget;
  onRefused: (code: RefusalCode, error?: unknown) => void;
  onClosed: () => void;
}

/** Connects a stream with a TCP service: bytes both ways, each side closed on its own. Returns what takes the visitor's. */
export function serveTcp(deps: ServeTcpDeps): StreamReader {
  const serving = new TcpServing(deps);
  connectLocal(deps.target, serving, deps).then(
    (socket) => serving.connected(socket),
    (error: unknown) => serving.unreachable(error),
  );
  return serving.visitor;
}

class TcpServing implements LocalSocketReader {
  readonly #deps: ServeTcpDeps;
  #socket: LocalSocket | undefined;
  /** What came before there was a connection, and what waits in it, in bytes. */
  #early: Uint8Array[] = [];
  #owed = 0;
  #isVisitorDone = false;
  #isServiceDone = false;
  #isOver = false;

  constructor(deps: ServeTcpDeps) {
    this.#deps = deps;
  }

  readonly visitor: StreamReader = {
    data: (chunk) => {
      if (this.#isOver) this.#deps.stream.consumed(chunk.length);
      // Credit for what was early brings more at once, which stands behind it.
      else if (this.#socket === undefined || this.#early.length > 0) this.#early.push(chunk);
      else this.#send(chunk, this.#socket);
    },
    end: () => {
      this.#isVisitorDone = true;
      if (this.#early.length === 0) this.#socket?.finish();
    },
    reset: () => this.#close(),
  };

  connected(socket: LocalSocket): void {
    if (this.#isOver) return socket.destroy();
    this.#socket = socket;
    this.#write(encodeAnswerHead({ status: 200, headers: [] }));
    for (let [chunk] = this.#early; chunk !== undefined; [chunk] = this.#early) {
      this.#send(chunk, socket);
      this.#early.shift();
    }
    if (this.#isVisitorDone) socket.finish();
  }

  unreachable(error: unknown): void {
    if (this.#isOver) return;
    const isLate = error instanceof ConnectError && error.failure === 'timeout';
    const code = isLate ? 'service_timeout' : 'service_unreachable';
    this.#deps.onRefused(code, error);
    this.#close();
    refuse(this.#deps.stream, code);
  }

  data(chunk: Uint8Array): void {
    this.#write(chunk);
  }

  drained(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#deps.stream.consumed(owed);
  }

  ended(): void {
    this.#isServiceDone = true;
    // The connection closes by itself once both sides have said so; what is still to be sent goes first.
    this.#deps.stream.finish();
  }

  closed(): void {
    if (this.#isOver) return;
    this.#close();
    // One that went away in the middle is not one that has said everything.
    if (!this.#isServiceDone || !this.#isVisitorDone) this.#deps.stream.reset();
  }

  #send(chunk: Uint8Array, socket: LocalSocket): void {
    if (socket.write(chunk)) this.#deps.stream.consumed(chunk.length);
    else this.#owed += chunk.length;
  }

  #write(bytes: Uint8Array): void {
    const room = this.#deps.stream.write(bytes);
    if (room === undefined) return;
    this.#socket?.pause();
    room.then(
      () => this.#socket?.resume(),
      () => undefined,
    );
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#early = [];
    this.#socket?.destroy();
    this.#deps.onClosed();
  }
}
