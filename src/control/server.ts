import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  controlRequestSchema,
  encodeLine,
  MAX_REQUEST_BYTES,
} from './protocol.ts';

/** Time a client has to send its request. */
const REQUEST_TIMEOUT_MS = 10_000;

export interface ControlServerOptions {
  /** From `controlAddress`. Whatever is there is replaced: the caller holds the data directory's lock, so nobody listens on it. */
  address: string;
  clock: Clock;
  log: Logger;
  /** Performs one act. AppError and CommandError reach the command in full, anything else as an internal error. */
  perform: (request: ControlRequest) => Promise<unknown>;
}

/** Listens for commands. Disposing stops listening and waits for the acts under way; doing so twice is harmless. */
export async function listenControl(options: ControlServerOptions): Promise<AsyncDisposable> {
  const exchanges = new Set<Promise<void>>();
  const silent = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    silent.add(socket);
    const running = exchange(socket, options, () => silent.delete(socket)).finally(() =>
      exchanges.delete(running),
    );
    exchanges.add(running);
  });
  rmSync(options.address, { force: true });
  await listenPrivately(server, options.address);
  server.on('error', (error) => options.log.error('the control socket failed', { error }));
  let closing: Promise<unknown> | undefined;
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of silent) socket.destroy();
      closing ??= closed.then(() => Promise.all(exchanges));
      await closing;
    },
  };
}

/** The mode is set by the umask, because a `chmod` after the fact would leave a moment in between; binding is synchronous. */
async function listenPrivately(server: Server, address: string): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const before = process.umask(0o177);
  try {
    server.listen(address);
  } finally {
    process.umask(before);
  }
  await listening;
}

async function exchange(
  socket: Socket,
  { clock, log, perform }: ControlServerOptions,
  onAsked: () => void,
): Promise<void> {
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', (error) => log.debug('a command went away', { error }));
  const deadline = clock.setTimer(REQUEST_TIMEOUT_MS, () => socket.destroy());
  const line = await firstLine(socket);
  deadline[Symbol.dispose]();
  onAsked();
  if (line === undefined) {
    socket.destroy();
    return;
  }
  socket.end(encodeLine(await answerTo(line, perform, log)));
  await gone;
}

async function answerTo(
  line: string,
  perform: ControlServerOptions['perform'],
  log: Logger,
): Promise<ControlAnswer> {
  try {
    return { output: await perform(controlRequestSchema.parse(JSON.parse(line))) };
  } catch (error) {
    if (error instanceof CommandError)
      return { refusal: { message: error.message, exitCode: error.exitCode } };
    if (error instanceof AppError) return { refusal: { message: inFull(error), exitCode: 1 } };
    log.error('a command failed', { error });
    return { refusal: { message: 'internal error; the log of the running postern has it', exitCode: 1 } };
  }
}

/** Whoever may ask here is the operator: the cause says what to do. */
function inFull({ message, cause }: AppError): string {
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

/** `undefined` when the client sent no whole line, or too long a one. */
function firstLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    socket.on('data', (chunk: Buffer) => {
      const end = chunk.indexOf('\n');
      length += chunk.length;
      chunks.push(end === -1 ? chunk : chunk.subarray(0, end));
      if (length > MAX_REQUEST_BYTES) resolve(undefined);
      else if (end !== -1) resolve(Buffer.concat(chunks).toString('utf8'));
    });
    socket.once('end', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
  });
}
