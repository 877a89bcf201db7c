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
  /** Runs a round now, or joins the one that is running. Never rejects. */
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

  const round = async () => {
    try {
      await run(ending.signal);
      onRound?.('success');
    } catch (error) {
      if (ending.signal.aborted) return;
      onRound?.('failure');
      log.error('a round failed; the loop goes on', { loop: name, error });
    }
  };
  const runNow = () => {
    running ??= round().finally(() => {
      running = undefined;
    });
    return running;
  };
  const schedule = () => {
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
