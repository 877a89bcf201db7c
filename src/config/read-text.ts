import { closeSync, openSync, readSync } from 'node:fs';
import { CommandError } from '../lib/command-error.ts';

/** More than any configuration or secret needs, in bytes; `/dev/zero` ends here. */
const MAX_BYTES = 1_048_576;
/** What is read at once: nearly every such file. */
const PART_BYTES = 16_384;

/**
 * The text of a small file, without a byte order mark; pipes and sockets work as well.
 * @throws an error whose message says why not, in words, and quotes nothing of the content.
 */
export function readText(path: string): string {
  const bytes = readBytes(path);
  if (bytes.length > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('it is not UTF-8 text');
  }
}

/** The same for a file without which a command cannot go on. @throws CommandError that names it. */
export function requireText(path: string): string {
  try {
    return readText(path);
  } catch (error) {
    throw new CommandError(
      `${path} cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`,
    );
  }
}

function readBytes(path: string): Uint8Array {
  try {
    const file = openSync(path, 'r');
    try {
      return Buffer.concat([...partsOf(file)]);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
}

/** What is in a file, and no more than a part beyond what is allowed. */
function* partsOf(file: number): Iterable<Uint8Array> {
  for (let length = 0; length <= MAX_BYTES; ) {
    const part = new Uint8Array(PART_BYTES);
    const read = readSync(file, part);
    if (read === 0) return;
    length += read;
    yield part.subarray(0, read);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  EISDIR: 'it is a directory',
  ENOTDIR: 'there is no such file',
};

/** The system's reason in words. */
function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? `the system says ${code ?? 'no'}`;
}
