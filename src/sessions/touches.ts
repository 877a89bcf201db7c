import type { SessionId } from './model.ts';

/** Last uses that are not written yet. Losing them in a crash is fine; writing each would wear out an SD card. */
export interface Touches {
  record(id: SessionId, at: number): void;
  /** The newest use this process knows of that may not be in the store. */
  get(id: SessionId): number | undefined;
  /** Hands what waits to `write`; what could not be written waits again. */
  flush(write: (lastSeen: ReadonlyMap<SessionId, number>) => Promise<void>): Promise<void>;
  readonly waiting: number;
}

export function touches(): Touches {
  let waiting = new Map<SessionId, number>();
  let writing: ReadonlyMap<SessionId, number> = new Map();
  return {
    record: (id, at) => void waiting.set(id, at),
    get: (id) => waiting.get(id) ?? writing.get(id),
    async flush(write) {
      writing = waiting;
      waiting = new Map();
      try {
        await write(writing);
      } catch (error) {
        waiting = new Map([...writing, ...waiting]);
        throw error;
      } finally {
        writing = new Map();
      }
    },
    get waiting() {
      return waiting.size;
    },
  };
}
