/** One command of a longer run: named before it starts, its output kept back unless it fails. */
export interface Step {
  /** What it does, in the present tense: `checking types`. */
  title: string;
  command: readonly [string, ...string[]];
  env?: Record<string, string>;
  /** Show what the command prints while it runs; otherwise only when it fails. */
  output?: 'shown' | 'kept';
  /** Say nothing at all unless it fails. */
  quiet?: boolean;
}

/** Runs one command from the top of the project; resolves with whether it succeeded. */
export async function runStep({
  title,
  command,
  env = {},
  output = 'kept',
  quiet = false,
}: Step): Promise<boolean> {
  if (!quiet) console.log(`· ${title}`);
  const startedAt = performance.now();
  const stdio = output === 'shown' ? 'inherit' : 'pipe';
  const child = Bun.spawn([...command], {
    cwd: projectRoot,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: stdio,
    stderr: stdio,
  });
  const [text, exitCode] = await Promise.all([outputOf(child), child.exited]);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (exitCode === 0) {
    if (!quiet) console.log(`  done in ${seconds} s`);
    return true;
  }
  console.error(
    `${text}  ${title}: failed after ${seconds} s (${command.join(' ')}: ${endingOf(child, exitCode)})`,
  );
  return false;
}

export const projectRoot = `${import.meta.dir}/..`;

/** The bun that runs this script: the only one a machine with nothing but npm has. */
export const bun = process.execPath;

type Child = Bun.Subprocess<'ignore', 'pipe' | 'inherit', 'pipe' | 'inherit'>;

async function outputOf({ stdout, stderr }: Child): Promise<string> {
  const streams = [stdout, stderr].filter((stream) => stream instanceof ReadableStream);
  return (await Promise.all(streams.map((stream) => stream.text()))).join('');
}

function endingOf({ signalCode }: Child, exitCode: number): string {
  return signalCode === null ? `exit ${exitCode}` : String(signalCode);
}
