import type { SessionId } from './model.ts';

/** Last uses that are not written yet. Losing them in a crash is fine; writing each would wear out an SD card. */
export interface Touches {
  record(id: SessionId, at: number): void;
  /** The newest use this process knows of that may not be in the store. */
  get(id: SessionId): number | undefined;
  /** Hands what waits to `write`, in pieces that hold the event loop for milliseconds; what could not be written waits again. */
  flush(write: (lastSeen: ReadonlyMap<SessionId, number>) => Promise<void>): Promise<void>;
  readonly waiting: number;
}

const TOUCHES_PER_WRITE = 500;

export function touches(): Touches {
  let waiting = new Map<SessionId, number>();
  let writing: ReadonlyMap<SessionId, number> = new Map();
  return {
    record: (id, at) => void waiting.set(id, at),
    get: (id) => waiting.get(id) ?? writing.get(id),
    async flush(write) {
      const unwritten = [...waiting];
      writing = waiting;
      waiting = new Map();
      try {
        do {
          await write(new Map(unwritten.slice(0, TOUCHES_PER_WRITE)));
          unwritten.splice(0, TOUCHES_PER_WRITE);
        } while (unwritten.length > 0);
      } finally {
        waiting = new Map([...unwritten, ...waiting]);
        writing = new Map();
      }
    },
    get waiting() {
      return waiting.size;
    },
  };
}
