/** How a command meets the outside. Standard output is for people and pipes, standard error for the log and complaints. */
export interface Io {
  /** Writes one line to standard output. */
  out(line: string): void;
  /** Writes to standard error what is given, as it is. */
  err(text: string): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDir: string;
}

/** The streams of this process. `flush` resolves once everything written has been handed to the system. */
export function processIo(): Io & { flush: () => Promise<void> } {
  const { stdout, stderr } = process;
  const writes = pendingWrites();
  // A reader that went away (`| head`, a terminal that was closed) must not end the server.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  return {
    out: (line) => void stdout.write(`${line}\n`, writes.begun()),
    err: (text) => void stderr.write(text, writes.begun()),
    // Bun leaves it undefined where there is no terminal.
    outIsTerminal: 'isTTY' in stdout && stdout.isTTY,
    errIsTerminal: 'isTTY' in stderr && stderr.isTTY,
    env: process.env,
    workingDir: process.cwd(),
    flush: writes.settled,
  };
}

/** Counts writes that the system has not taken yet: in Bun, the callback of an empty last write comes too early. */
function pendingWrites() {
  let pending = 0;
  let onSettled: () => void = () => undefined;
  const ended = () => {
    pending--;
    if (pending === 0) onSettled();
  };
  return {
    begun() {
      pending++;
      return ended;
    },
    settled: () =>
      new Promise<void>((resolve) => {
        onSettled = resolve;
        if (pending === 0) resolve();
      }),
  };
}
