/** A terminal that a test types into and looks at. */
export interface TestTerminal extends AsyncDisposable {
  /** Types, as a keyboard does: `\x03` is Ctrl-C. */
  type(keys: string): void;
  /** Everything that was on the screen. */
  screen(): string;
  /** Resolves once the screen has shown something, with what a group of the pattern matched. */
  shown(pattern: RegExp): Promise<string>;
  /** Closes the window. */
  close(): void;
  /** The exit code of the program that was started in it. */
  readonly exited: Promise<number>;
}

/** Runs a program in a terminal of its own. Disposing closes the terminal and ends the program. */
export function openTerminal(
  command: readonly string[],
  cwd: string,
  env: Record<string, string>,
): TestTerminal {
  let screen = '';
  let onText: () => void = () => undefined;
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    cwd,
    env,
    terminal: {
      cols: 200,
      data(_, bytes) {
        screen += decoder.decode(bytes, { stream: true });
        onText();
      },
    },
  });
  const { terminal } = child;
  if (terminal === undefined) throw new Error('this system has no pseudo-terminals');
  return {
    exited: child.exited,
    screen: () => screen,
    type: (keys) => void terminal.write(keys),
    close: () => terminal.close(),
    async shown(pattern) {
      const appeared = new Promise<void>((resolve) => {
        onText = () => {
          if (pattern.test(screen)) resolve();
        };
        onText();
      });
      await Promise.race([appeared, child.exited]);
      const match = pattern.exec(screen);
      if (match === null) throw new Error(`it ended without showing ${String(pattern)}:\n${screen}`);
      return match[1] ?? match[0];
    },
    async [Symbol.asyncDispose]() {
      terminal.close();
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}
