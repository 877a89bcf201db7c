export interface TaskQueueLimits {
  /** Tasks that run at the same time. */
  readonly maxRunning: number;
  /** Tasks that wait before whoever adds them should wait as well. */
  readonly maxWaiting: number;
}

/** Tasks, begun in the order in which they were added. */
export interface TaskQueue {
  /** `task` must not reject: nobody hears of it. */
  add(task: () => Promise<void>): void;
  /** `undefined` while there is room for more; otherwise resolves when half of what may wait is gone. */
  room(): Promise<void> | undefined;
  /** Resolves when there are none. */
  settled(): Promise<void>;
}

/** Runs tasks, a few at a time. */
export function taskQueue({ maxRunning, maxWaiting }: TaskQueueLimits): TaskQueue {
  const waiting: (() => Promise<void>)[] = [];
  let running = 0;
  let ended = Promise.withResolvers<void>();

  const runNext = () => {
    while (running < maxRunning) {
      const task = waiting.shift();
      if (task === undefined) return;
      running++;
      void task().finally(() => {
        running--;
        runNext();
        ended.resolve();
        ended = Promise.withResolvers();
      });
    }
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await ended.promise;
  };
  return {
    add(task) {
      waiting.push(task);
      runNext();
    },
    room: () => (waiting.length < maxWaiting ? undefined : until(() => waiting.length < maxWaiting / 2)),
    settled: () => until(() => running + waiting.length === 0),
  };
}
