import type { Clock, Timer } from '../lib/clock.ts';

/** Time between two looks at what this process does, in milliseconds. */
const LOOK_MS = 1_000;
/** Processor time within such a span that loops and probes take at rest, in milliseconds; a request more goes beyond it. */
const REST_CPU_MS = 10;

export interface MemoryAtRestDeps {
  clock: Clock;
  /** Whether what takes memory runs again: there is nothing to give back then. */
  isInUse: () => boolean;
  /** Processor time of this process so far, in milliseconds. */
  cpuMs?: () => number;
  giveBack?: () => void;
}

export interface MemoryAtRest extends Disposable {
  /** Something large has ended: its memory is given back as soon as this process rests. */
  awaitRest(): void;
}

/**
 * Gives memory back to the system. The runtime does it by itself only under pressure, which never comes at rest: a thousand
 * visits of MCP clients leave tens of megabytes with it. A full collection holds the event loop for 20 to 60 ms, so that it
 * waits for a second in which next to nothing was done.
 */
export function memoryAtRest(deps: MemoryAtRestDeps): MemoryAtRest {
  const { clock, isInUse, cpuMs = ownCpuMs, giveBack = collectAll } = deps;
  let timer: Timer | undefined;

  const look = (cpuBefore: number) => {
    timer = undefined;
    if (isInUse()) return;
    const cpuNow = cpuMs();
    if (cpuNow - cpuBefore <= REST_CPU_MS) giveBack();
    else lookLater(cpuNow);
  };
  const lookLater = (cpuNow: number) => {
    timer = clock.setTimer(LOOK_MS, () => look(cpuNow));
  };

  return {
    awaitRest() {
      if (timer === undefined) lookLater(cpuMs());
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  };
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function collectAll(): void {
  Bun.gc(true);
  Bun.shrink();
}
