import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { SessionId } from './model.ts';
import { type Arrival, type MovingSession, movingStore } from './store-moving.ts';

/** A store that browser sessions can leave for another one, and come from there. */
export interface SessionPlace {
  /** All that live, a batch at a time; each session after the one it hangs on. What was dropped is not listed again. */
  batches(): AsyncIterable<readonly MovingSession[]>;
  /** Takes them in. What is here already stays as it is, with the later of both last uses. */
  take(batch: readonly MovingSession[]): Promise<readonly Arrival[]>;
  /** Forgets what lives elsewhere now. */
  drop(ids: readonly SessionId[]): Promise<void>;
}

export interface MoveReport {
  /** Sessions that live in the other store now. */
  readonly moved: number;
  /** Of those, sessions on other hosts, which hang on another session. */
  readonly children: number;
  /** Sessions that turned out to be over, and were dropped. */
  readonly ended: number;
}

/**
 * Moves every live browser session, while nobody else uses either store. A batch is in the new store before it leaves the
 * old one: whoever is interrupted has it in both, and the next run finishes that.
 */
export async function moveSessions(from: SessionPlace, to: SessionPlace): Promise<MoveReport> {
  let [moved, children, ended] = [0, 0, 0];
  for await (const batch of from.batches()) {
    const arrivals = await to.take(batch);
    await from.drop(batch.map(({ session }) => session.id));
    batch.forEach(({ session }, index) => {
      if (arrivals[index] === 'ended') ended++;
      else {
        moved++;
        if (session.parentId !== undefined) children++;
      }
    });
  }
  return { moved, children, ended };
}

export interface DatabasePlaceDeps {
  db: Db;
  clock: Clock;
  batchSize?: number;
}

/** Holds a write for some milliseconds. */
const BATCH_SIZE = 200;

export function databasePlace({ db, clock, batchSize = BATCH_SIZE }: DatabasePlaceDeps): SessionPlace {
  const store = movingStore();
  return {
    async *batches() {
      const now = clock.now();
      for (const children of [false, true]) {
        let after = 0;
        for (;;) {
          const page = store.list(db.reader, { children, after, now, limit: batchSize });
          if (page.last === undefined) break;
          after = page.last;
          yield page.sessions;
        }
      }
    },
    take: (batch) => db.write((tx) => batch.map((each) => store.take(tx, each))),
    drop: (ids) => db.write((tx) => store.drop(tx, ids)),
  };
}
