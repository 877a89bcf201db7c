import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { newId } from '../lib/random.ts';
import { bootId, processFacts } from './process-table.ts';
import { type SpawnStore, spawnStore } from './store-spawns.ts';

/** The variable by which a child, and all that it starts, is known to be ours. */
export const MARKER_VARIABLE = 'POSTERN_CHILD';

/** Rows of the children that run. */
export interface SpawnRecords {
  readonly store: SpawnStore;
  /** Committed before the child is started: a crash in between leaves none that nobody knows of. */
  begin(backend: string): Promise<string>;
  /** The child was started as the leader of this process group. */
  started(marker: string, processGroup: number): void;
  /** It is gone. */
  ended(marker: string): void;
}

export function spawnRecords({ db, clock, log }: { db: Db; clock: Clock; log: Logger }): SpawnRecords {
  const store = spawnStore(db);
  /** A row too many costs a look at the next start; nobody has to wait for it. */
  const eventually = (job: Promise<unknown>) => {
    job.catch((error: unknown) => log.warn('the record of an MCP server could not be changed', { error }));
  };
  return {
    store,
    async begin(backend) {
      const marker = newId('chd');
      await db.write((tx) => store.insert(tx, { marker, backend, spawnedAt: clock.now() }));
      return marker;
    },
    started(marker, processGroup) {
      const facts = processFacts(processGroup);
      if (facts === undefined) return;
      const leader = { processGroup, startTicks: facts.startTicks, bootId: bootId() };
      eventually(db.write((tx) => store.setLeader(tx, marker, leader)));
    },
    ended: (marker) => eventually(db.write((tx) => store.delete(tx, [marker]))),
  };
}
