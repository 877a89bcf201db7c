import { Buffer } from 'node:buffer';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../lib/command-error.ts';

/**
 * One exchange per connection on a Unix socket: a line of JSON there, a line of JSON back.
 * Who may open the socket may do everything; its file mode (0600, in a 0700 directory) is the whole access control.
 */
export const controlRequestSchema = z.strictObject({ operation: z.string(), input: z.unknown() });
export type ControlRequest = z.output<typeof controlRequestSchema>;

const controlAnswerSchema = z.union([
  z.strictObject({ output: z.unknown() }),
  z.strictObject({ refusal: z.strictObject({ message: z.string(), exitCode: z.literal([1, 2]) }) }),
]);
export type ControlAnswer = z.output<typeof controlAnswerSchema>;

/** Largest request, in bytes; ours are a few hundred. */
export const MAX_REQUEST_BYTES = 64 * 1024;

/** Longest address of a Unix socket, in bytes, on the systems we run on (`sun_path` of macOS; Linux has 107). */
const MAX_ADDRESS_BYTES = 103;

export function encodeLine(message: ControlRequest | ControlAnswer): string {
  return `${JSON.stringify(message)}\n`;
}

export function parseAnswer(line: string): ControlAnswer {
  const answer: unknown = JSON.parse(line);
  // JSON has no `undefined`: an act without an output is answered by an empty object.
  return controlAnswerSchema.parse(isEmptyObject(answer) ? { output: undefined } : answer);
}

/**
 * The address of a control socket in a data directory: relative to the working directory where that is shorter.
 * @throws CommandError when both are longer than the system takes.
 */
export function controlAddress(dataDir: string, workingDir = process.cwd(), name = 'control.sock'): string {
  const absolute = join(dataDir, name);
  const shorter =
    [absolute, relative(workingDir, absolute)].toSorted((a, b) => a.length - b.length)[0] ?? absolute;
  if (Buffer.byteLength(shorter) <= MAX_ADDRESS_BYTES) return shorter;
  throw new CommandError(
    `data_dir is too long a path for the control socket in it (${MAX_ADDRESS_BYTES} bytes at most, with /${name})`,
    2,
  );
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
