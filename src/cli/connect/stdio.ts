import type { LocalSocket, LocalSocketReader } from '../../agent/buffered-socket.ts';
import type { Connector } from '../../agent/connect.ts';
import { CommandError } from '../../lib/command-error.ts';

/**
 * One connection over standard input and output, as `ssh -o ProxyCommand` wants it. Ends when the service has said everything.
 * @throws CommandError when it broke off.
 */
export async function joinStdio(line: Connector): Promise<void> {
  const over = Promise.withResolvers<void>();
  // One that never stood is over as well; then `open` says why.
  over.promise.catch(() => undefined);
  const join = await line.open(() => over.reject(new CommandError('the connection was cut')));
  join.attach(new StdioSocket(join, over.resolve));
  await over.promise;
}

class StdioSocket implements LocalSocket {
  readonly #onFinished: () => void;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(reader: LocalSocketReader, onFinished: () => void) {
    this.#onFinished = onFinished;
    process.stdout.on('drain', () => reader.drained());
    // Whoever read it has gone.
    process.stdout.on('error', () => reader.closed());
    void this.#read(reader);
  }

  async #read(reader: LocalSocketReader): Promise<void> {
    for await (const chunk of Bun.stdin.stream()) {
      await this.#room?.promise;
      reader.data(chunk);
    }
    reader.ended();
  }

  write(chunk: Uint8Array): boolean {
    return process.stdout.write(chunk);
  }

  finish(): void {
    process.stdout.end(this.#onFinished);
  }

  pause(): void {
    this.#room ??= Promise.withResolvers();
  }

  resume(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  destroy(): void {
    this.resume();
  }
}
