import { fileURLToPath } from 'node:url';

const HOLDER = fileURLToPath(import.meta.resolve('./lock-holder.ts'));

/** Another process that takes what it is told to of a data directory. */
export interface OtherProcess extends AsyncDisposable {
  /** `held`, or why it could not. */
  readonly said: string;
  /** Ends it, by closing its input unless a signal is named, and waits for that. */
  end(signal: 'SIGKILL' | undefined): Promise<void>;
}

/** Starts one and waits for what it says. */
export async function otherProcess(dataDir: string, ...what: string[]): Promise<OtherProcess> {
  const child = Bun.spawn([process.execPath, HOLDER, dataDir, ...what], { stdin: 'pipe', stdout: 'pipe' });
  const reader = child.stdout.getReader();
  const said = new TextDecoder().decode((await reader.read()).value);
  return {
    said: said.trim(),
    async end(signal) {
      if (signal === undefined) await child.stdin.end();
      else child.kill(signal);
      await child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}
