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

/** For `until`: whether a figure has stood still for ten looks. */
export function steady(read: () => number): () => boolean {
  let last = Number.NaN;
  let looks = 0;
  return () => {
    const now = read();
    looks = now === last ? looks + 1 : 0;
    last = now;
    return looks >= 10;
  };
}
