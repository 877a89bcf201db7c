import { eq, inArray } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { mcpSpawns } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';

/** A child that was started, and perhaps still runs. */
export interface Spawn {
  readonly marker: string;
  readonly backend: string;
  /** Absent when the appliance died in between. */
  readonly leader: SpawnLeader | undefined;
  /** Epoch milliseconds. */
  readonly spawnedAt: number;
}

/** Names one process for good. */
export interface SpawnLeader {
  readonly processGroup: number;
  readonly startTicks: string;
  readonly bootId: string;
}

export type SpawnStore = ReturnType<typeof spawnStore>;

export function spawnStore(db: Db) {
  return {
    all: (): Spawn[] => db.reader.select().from(mcpSpawns).all().map(toSpawn),

    insert(tx: Tx, { marker, backend, spawnedAt }: Omit<Spawn, 'leader'>): void {
      tx.insert(mcpSpawns).values({ marker, backend, spawnedAtMs: spawnedAt }).run();
    },

    setLeader(tx: Tx, marker: string, leader: SpawnLeader): void {
      tx.update(mcpSpawns).set(leader).where(eq(mcpSpawns.marker, marker)).run();
    },

    delete(tx: Tx, markers: readonly string[]): void {
      if (markers.length > 0)
        tx.delete(mcpSpawns)
          .where(inArray(mcpSpawns.marker, [...markers]))
          .run();
    },
  };
}

function toSpawn(row: typeof mcpSpawns.$inferSelect): Spawn {
  const { marker, backend, processGroup, startTicks, bootId, spawnedAtMs } = row;
  const leader =
    processGroup === null || startTicks === null || bootId === null
      ? undefined
      : { processGroup, startTicks, bootId };
  return { marker, backend, leader, spawnedAt: spawnedAtMs };
}
