import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Io } from '../io.ts';

/** Something that lets people in, and is told once. */
export interface Confidence {
  /** The file it goes to where nobody watches, in the data directory. */
  file: string;
  /** What it is, for the line that introduces it. */
  what: string;
  secret: string;
}

/**
 * Lines that tell it to the person at the terminal. Standard output that is no terminal may be a log, which a secret
 * never enters: then it goes to a file of mode 0600, and the lines say where.
 */
export function confide(
  { file, what, secret }: Confidence,
  dataDir: string,
  io: Pick<Io, 'outIsTerminal'>,
): string[] {
  const path = join(dataDir, file);
  forget(file, dataDir);
  if (io.outIsTerminal) return [`${what}:`, `  ${secret}`];
  writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  return [`${what}: see the file`, `  ${path}`];
}

/** Removes what an earlier life may have left: it is not good any more. */
export function forget(file: string, dataDir: string): void {
  rmSync(join(dataDir, file), { force: true });
}
