import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import { groupsOf, isGuest } from './groups.ts';
import type { SessionId } from './model.ts';
import { movingStore } from './store-moving.ts';
import { standingStore } from './store-standing.ts';
import type { HeldSession } from './store-values-redis.ts';

/** What became of one that was brought: `ended` means that it is over by what the other store knows. */
export type Arrival = 'moved' | 'ended';

/** A store that browser sessions can leave for another one, and come from there. */
export interface SessionPlace {
  /** All that live, a batch at a time; each session after the one it hangs on. What was dropped is not listed again. */
  batches(): AsyncIterable<readonly HeldSession[]>;
  /** Takes them in. What is here already stays as it is, with the later of both last uses. */
  take(batch: readonly HeldSession[]): Promise<readonly Arrival[]>;
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

/** The database, as a place that sessions leave or come to. What it says of those in Redis counts: none that ended comes back. */
export function databasePlace({ db, clock, batchSize = BATCH_SIZE }: DatabasePlaceDeps): SessionPlace {
  const store = movingStore();
  const standing = standingStore(db, { isGuest, groupsOf });
  const take = (tx: Tx, one: HeldSession): Arrival => {
    const known = standing.of(one.session);
    if (known === undefined || known.ended !== undefined) return 'ended';
    store.take(tx, one);
    return 'moved';
  };
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
    take: (batch) => db.write((tx) => batch.map((each) => take(tx, each))),
    drop: (ids) => db.write((tx) => store.drop(tx, ids)),
  };
}
