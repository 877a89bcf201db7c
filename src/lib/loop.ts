import type { Clock, Timer } from './clock.ts';
import type { Logger } from './log.ts';

export interface LoopOptions {
  name: string;
  everyMs: number;
  clock: Clock;
  log: Logger;
  /** One round. `signal` aborts when the loop ends; a round that throws is logged and counted, and the loop goes on. */
  run: (signal: AbortSignal) => Promise<unknown>;
  /** Told of each round that has ended. */
  onRound?: (outcome: 'success' | 'failure') => void;
}

export interface Loop extends AsyncDisposable {
  readonly name: string;
  /** Runs a round now, or joins the one that is running; does nothing once the loop has ended. Never rejects. */
  runNow(): Promise<void>;
}

/**
 * Runs `run` every `everyMs`. Rounds never overlap: one that comes due while another runs is skipped.
 * Disposing ends the timer, aborts the round under way and waits for it; doing so twice is harmless.
 */
export function startLoop({ name, everyMs, clock, log, run, onRound }: LoopOptions): Loop {
  const ending = new AbortController();
  let running: Promise<void> | undefined;
  let timer: Timer | undefined;

  const attempt = async (): Promise<boolean> => {
    try {
      await run(ending.signal);
      return true;
    } catch (error) {
      if (!ending.signal.aborted) log.error('a round failed; the loop goes on', { loop: name, error });
      return false;
    }
  };
  const round = async () => {
    const succeeded = await attempt();
    // A round that was cut short by the end of the loop is neither.
    if (succeeded || !ending.signal.aborted) onRound?.(succeeded ? 'success' : 'failure');
  };
  const runNow = async (): Promise<void> => {
    if (ending.signal.aborted) return running;
    running ??= round().finally(() => {
      running = undefined;
    });
    return running;
  };
  const schedule = () => {
    if (ending.signal.aborted) return;
    timer = clock.setTimer(everyMs, () => {
      void runNow();
      schedule();
    });
  };
  schedule();

  return {
    name,
    runNow,
    async [Symbol.asyncDispose]() {
      timer?.[Symbol.dispose]();
      ending.abort(new Error(`loop ${name} has ended`));
      await running;
    },
  };
}
