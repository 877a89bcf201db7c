import { type Clock, sleep } from '../lib/clock.ts';
import { type LongLine, lineSplitter } from './line-splitter.ts';
import { residentBytes, treeOf } from './process-table.ts';

export interface ChildOptions {
  /** The program and its arguments, whatever isolates it included; no shell reads them. */
  readonly argv: readonly [string, ...string[]];
  /** All that the child's environment holds. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** The longest line of its output, in bytes. */
  readonly maxLineBytes: number;
  /** The most that waits for the child to read, in bytes. */
  readonly maxQueuedBytes: number;
  readonly ladder: CloseLadder;
  /** Whether `argv` begins with programs that isolate the child: SIGTERM would end those before it, so they are spared. */
  readonly wrappers: number;
  readonly onLine: (line: string) => void;
  /** A line longer than `maxLineBytes` was dropped. */
  readonly onLong: (line: LongLine) => void;
  /** A line of its error output, cut at 2,000 bytes. */
  readonly onErrorLine: (line: string) => void;
}

/** Waits between the steps of an end, in milliseconds. */
export interface CloseLadder {
  /** After its input was closed. */
  readonly inputClosedMs: number;
  /** After SIGTERM; then SIGKILL. */
  readonly terminatedMs: number;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** We had asked for it. */
  readonly wasEnded: boolean;
}

export interface ChildUsage {
  /** Resident memory of the child and all that it started; `undefined` where the system does not tell. */
  readonly memoryBytes: number | undefined;
  readonly uptimeMs: number;
}

/** Of a line of error output, in bytes; the rest is dropped. */
const MAX_ERROR_LINE_BYTES = 2_000;
/** What is read of one child before others have their turn. */
const BYTES_PER_TURN = 32 * 1024;
/** What a line that waits takes beside itself: answers to a child that only asks are short, and many. */
const BYTES_PER_WRITE = 512;
/** Output may come late when something else holds the pipe open: after this long it is not waited for. */
const LAST_OUTPUT_MS = 500;

/**
 * One child: the leader of its own process group, JSON lines on its pipes.
 * What it started goes with it: the process group here, and whatever isolates it sees to the rest.
 */
export class ChildProcess implements AsyncDisposable {
  /** Resolves once, after the last line of its output. */
  readonly exited: Promise<ChildExit>;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly #process: Bun.Subprocess<'pipe', 'pipe', 'pipe'>;
  readonly #options: ChildOptions;
  readonly #startedMonotonic: number;
  #queuedBytes = 0;
  #inputClosed = false;
  #hasExited = false;
  #ending: Promise<ChildExit> | undefined;

  constructor(options: ChildOptions) {
    const { argv, env, cwd, clock } = options;
    this.#options = options;
    this.#process = Bun.spawn([...argv], {
      env,
      cwd,
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      detached: true,
    });
    this.startedAt = clock.now();
    this.#startedMonotonic = clock.monotonicNow();
    this.exited = this.#watch();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether the child is there and may be written to. */
  get isOpen(): boolean {
    return !this.#inputClosed && !this.#hasExited;
  }

  /**
   * Sends one line; `line` holds no line break. What is written in one turn of the event loop goes out together.
   * `false`: it was not taken, because the child is gone or ending, or does not read what waits already.
   */
  write(line: string): boolean {
    if (!this.isOpen || this.#queuedBytes > this.#options.maxQueuedBytes) return false;
    try {
      const written: number | Promise<number> = this.#process.stdin.write(`${line}\n`);
      if (typeof written !== 'number' && typeof written !== 'boolean')
        this.#await(written, line.length + BYTES_PER_WRITE);
      return true;
    } catch {
      this.#inputClosed = true;
      return false;
    }
  }

  usage(): ChildUsage {
    const { clock } = this.#options;
    const memory = this.#hasExited ? 0 : residentBytes(treeOf(this.pid));
    return {
      memoryBytes: memory === 0 ? undefined : memory,
      uptimeMs: clock.monotonicNow() - this.#startedMonotonic,
    };
  }

  /** Ends it, by the ladder: its input is closed, then SIGTERM, then SIGKILL. Resolves when it is gone; never rejects. */
  end(): Promise<ChildExit> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** SIGKILL to all of it, at once. */
  kill(): void {
    this.#signalGroup('SIGKILL');
  }

  #await(written: Promise<number>, length: number): void {
    this.#queuedBytes += length;
    written
      .catch(() => {
        this.#inputClosed = true;
      })
      .finally(() => {
        this.#queuedBytes -= length;
      });
  }

  async #watch(): Promise<ChildExit> {
    const { onLine, onLong, onErrorLine, maxLineBytes, clock } = this.#options;
    const output = readLines(this.#process.stdout, lineSplitter({ maxBytes: maxLineBytes, onLine, onLong }));
    const onLongError = ({ head }: LongLine) => onErrorLine(head);
    const errors = readLines(
      this.#process.stderr,
      lineSplitter({ maxBytes: MAX_ERROR_LINE_BYTES, onLine: onErrorLine, onLong: onLongError }),
    );
    await this.#process.exited;
    this.#hasExited = true;
    // What it left in its group must not outlive it.
    this.#signalGroup('SIGKILL');
    await Promise.race([Promise.all([output, errors]), sleep(clock, LAST_OUTPUT_MS)]);
    const { exitCode, signalCode } = this.#process;
    return {
      code: exitCode,
      signal: signalCode === null ? null : String(signalCode),
      wasEnded: this.#ending !== undefined,
    };
  }

  async #end(): Promise<ChildExit> {
    const { inputClosedMs, terminatedMs } = this.#options.ladder;
    this.#closeInput();
    if (await this.#goesWithin(inputClosedMs)) return this.exited;
    this.#terminate();
    if (await this.#goesWithin(terminatedMs)) return this.exited;
    this.#signalGroup('SIGKILL');
    return this.exited;
  }

  #closeInput(): void {
    this.#inputClosed = true;
    void Promise.resolve(this.#process.stdin.end()).catch(() => undefined);
  }

  async #goesWithin(delayMs: number): Promise<boolean> {
    const cut = new AbortController();
    const tooLong = sleep(this.#options.clock, delayMs, cut.signal).then(
      () => false,
      () => true,
    );
    const gone = this.#process.exited.then(() => true);
    const isGone = await Promise.race([gone, tooLong]);
    cut.abort();
    return isGone;
  }

  /** Isolating programs die of SIGTERM and take the child with them in the same moment; it gets the signal instead. */
  #terminate(): void {
    const { wrappers } = this.#options;
    if (wrappers === 0) return this.#signalGroup('SIGTERM');
    for (const pid of treeOf(this.pid).slice(wrappers)) signal(pid, 'SIGTERM');
  }

  #signalGroup(name: NodeJS.Signals): void {
    signal(-this.pid, name);
  }
}

/** @throws Error of the system when the program cannot be started. */
export function spawnChild(options: ChildOptions): ChildProcess {
  return new ChildProcess(options);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  lines: ReturnType<typeof lineSplitter>,
): Promise<void> {
  let read = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += BYTES_PER_TURN) {
      const part = chunk.subarray(at, at + BYTES_PER_TURN);
      lines.push(part);
      read += part.length;
      if (read < BYTES_PER_TURN) continue;
      read = 0;
      await nextTurn();
    }
  }
  lines.end();
}

/** A child that writes without end would otherwise be read without end, and everybody else would wait. */
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));
