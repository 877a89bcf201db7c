import type { ChildExit, ChildProcess } from './child-process.ts';
import type { ExitCause } from './exchange.ts';
import { INTERNAL_ERROR, type JsonObject } from './json-rpc.ts';
import type { LongLine } from './line-splitter.ts';
import { isTooDeep } from './message.ts';
import type { Wire, WireReader } from './wire.ts';

/** What a child is started with, so that its output finds the wire. */
export interface ChildOutput {
  readonly onLine: (line: string) => void;
  readonly onLong: (line: LongLine) => void;
}

/** Shorter lines cannot be nested deeply enough to matter. */
const WORTH_MEASURING = 256;
const ID_IN_HEAD = /^\s*\{(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15})\s*,/;
const ID_IN_TAIL = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** One JSON message a line, on the pipes of a child that `start` starts (2025-11-25, transports, "stdio"). */
export async function stdioWire(start: (output: ChildOutput) => Promise<ChildProcess>): Promise<Wire> {
  const early: unknown[] = [];
  let read: WireReader = (message) => void early.push(message);
  const child = await start({
    onLine: (line) => read(parseLine(line)),
    onLong: (line) => read(answerToLong(line)),
  });

  return {
    open(reader) {
      read = reader;
      for (const message of early.splice(0)) reader(message);
    },
    send(message) {
      if (!child.write(JSON.stringify(message))) refuse(message, read);
    },
    abandon: () => false,
    speak: () => undefined,
    exited: child.exited.then(causeOf),
    async end() {
      await child.end();
    },
    process: { pid: child.pid, memoryBytes: () => child.usage().memoryBytes },
  };
}

/** `undefined` for what is no JSON, or would be too deep to write out again. */
function parseLine(line: string): unknown {
  try {
    return line.length > WORTH_MEASURING && isTooDeep(line) ? undefined : JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** An answer that is too long is an error to whoever waits for it; its id stands at one of its ends. */
function answerToLong({ head, tail }: LongLine): unknown {
  const id = ID_IN_HEAD.exec(head)?.[1] ?? ID_IN_TAIL.exec(tail)?.[1];
  if (id === undefined) return undefined;
  return failed(Number(id), 'The answer of the server is longer than allowed.');
}

/** A child that is ending, or does not read what it was sent before. */
function refuse({ id, method }: JsonObject, read: WireReader): void {
  if (typeof id !== 'number' || method === undefined) return;
  queueMicrotask(() => read(failed(id, 'The server does not take any more.')));
}

function failed(id: number, message: string): JsonObject {
  return { jsonrpc: '2.0', id, error: { code: INTERNAL_ERROR, message } };
}

function causeOf({ code, signal, wasEnded }: ChildExit): ExitCause {
  const detail = signal === null ? `code ${code}` : `signal ${signal}`;
  if (wasEnded) return { kind: 'ended', detail };
  return { kind: code === 0 ? 'exited' : 'crashed', detail };
}
