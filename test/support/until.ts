/** Longest wait for another program, in milliseconds. */
const PATIENCE_MS = 20_000;
const STEP_MS = 20;

/** Asks again and again whether another program has come so far. @throws when it has not in 20 s, naming `what`. */
export async function until(what: string, hasCome: () => Promise<boolean> | boolean): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (!(await hasCome())) {
    if (Date.now() > giveUpAt) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(STEP_MS);
  }
}
