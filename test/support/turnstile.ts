/** Runs a job when it is its turn. */
export type Turnstile = <T>(job: () => Promise<T>) => Promise<T>;

/**
 * Lets at most `atOnce` jobs run, the others wait. Bun has 256 outgoing requests for the whole process: clients in the
 * process of the server they talk to must leave it some.
 */
export function turnstile(atOnce: number): Turnstile {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (job) => {
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
