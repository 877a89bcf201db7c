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
  /** Rounds may overlap: each batch is known until it is written. */
  const writing = new Set<ReadonlyMap<SessionId, number>>();

  const newest = (id: SessionId): number | undefined => {
    let at = waiting.get(id);
    for (const batch of writing) at = later(at, batch.get(id));
    return at;
  };

  return {
    record(id, at) {
      const known = waiting.get(id);
      if (known === undefined || known < at) waiting.set(id, at);
    },
    get: newest,
    async flush(write) {
      const batch = waiting;
      waiting = new Map();
      writing.add(batch);
      const unwritten = [...batch];
      try {
        do {
          await write(new Map(unwritten.slice(0, TOUCHES_PER_WRITE)));
          unwritten.splice(0, TOUCHES_PER_WRITE);
        } while (unwritten.length > 0);
      } finally {
        for (const [id, at] of unwritten) waiting.set(id, later(waiting.get(id), at) ?? at);
        writing.delete(batch);
      }
    },
    get waiting() {
      return waiting.size;
    },
  };
}

function later(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}
