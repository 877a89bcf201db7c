import { join } from 'node:path';
import { takeLock } from './file-lock.ts';

/** Who, of the processes that share a data directory, does what one of them has to do for all. */
export interface Leadership extends Disposable {
  /**
   * Whether it is this process, which from then on it stays until it ends. Where nobody is, it becomes so: to be asked at
   * the beginning of each round. Any death of the leader frees the place.
   * @throws what the file system reports.
   */
  lead(): boolean;
  /** Whether it was this process when it was last asked. */
  readonly isLeader: boolean;
}

/** Of a process that is alone. */
export const soleLeader: Leadership = {
  lead: () => true,
  isLeader: true,
  [Symbol.dispose]: () => undefined,
};

/** Of one that shares the data directory. */
export function sharedLeadership(dataDir: string): Leadership {
  const path = join(dataDir, 'leader.db');
  let held: Disposable | undefined;
  let isOver = false;
  return {
    lead() {
      if (isOver) return false;
      held ??= takeLock(path);
      return held !== undefined;
    },
    get isLeader() {
      return held !== undefined;
    },
    [Symbol.dispose]() {
      isOver = true;
      held?.[Symbol.dispose]();
      held = undefined;
    },
  };
}
