import type { Db } from '../db/open.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { allProcesses, bootId, processFacts, variableOf } from './process-table.ts';
import { MARKER_VARIABLE } from './spawn-records.ts';
import type { Spawn, SpawnStore } from './store-spawns.ts';

export interface LeftoverDeps {
  db: Db;
  store: SpawnStore;
  clock: Clock;
  log: Logger;
}

/** What was ended may have started something in the same moment. */
const MAX_ROUNDS = 20;
const BETWEEN_ROUNDS_MS = 50;

/**
 * Ends what an earlier life of the appliance left running. A process is one of ours when its environment holds the marker
 * of a recorded child, or when it is in the group of a leader that is the recorded one, by pid, start and boot. Nobody
 * waits for an answer of these any more, and they have shown that they do not heed the end of their input: SIGKILL.
 * Resolves with how many there were.
 */
export async function endLeftovers({ db, store, clock, log }: LeftoverDeps): Promise<number> {
  const spawns = store.all();
  if (spawns.length === 0) return 0;
  const ended = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = leftoversOf(spawns);
    if (found.length === 0) break;
    for (const pid of found) {
      ended.add(pid);
      kill(pid);
    }
    await sleep(clock, BETWEEN_ROUNDS_MS);
  }
  await db.write((tx) =>
    store.delete(
      tx,
      spawns.map(({ marker }) => marker),
    ),
  );
  if (ended.size > 0) log.warn('ended MCP servers of an earlier life', { processes: ended.size });
  return ended.size;
}

/** Ends what a child without isolation left behind outside its process group, as far as it can be told. */
export function endMarked(marker: string): void {
  for (const pid of allProcesses()) if (variableOf(pid, MARKER_VARIABLE) === marker) kill(pid);
}

function leftoversOf(spawns: readonly Spawn[]): number[] {
  const markers = new Set(spawns.map(({ marker }) => marker));
  const groups = new Set(spawns.filter(isLeaderAlive).map(({ leader }) => leader?.processGroup));
  return allProcesses().filter((pid) => {
    if (pid === process.pid) return false;
    const marker = variableOf(pid, MARKER_VARIABLE);
    if (marker !== undefined && markers.has(marker)) return isAlive(pid);
    return groups.size > 0 && groups.has(processFacts(pid)?.group);
  });
}

function isLeaderAlive({ leader }: Spawn): boolean {
  if (leader === undefined || leader.bootId !== bootId()) return false;
  return processFacts(leader.processGroup)?.startTicks === leader.startTicks && isAlive(leader.processGroup);
}

/** A zombie has ended; whoever started it has not looked yet. */
function isAlive(pid: number): boolean {
  const state = processFacts(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already, or somebody else's after all.
  }
}
