import type { Tx } from '../db/write.ts';
import type { SessionId } from './model.ts';
import type { ReapTask } from './reaper.ts';
import type { SessionStore } from './store-contract.ts';
import type { ReapingStore } from './store-reaping.ts';
import type { Touches } from './touches.ts';

/** What the reaper does with sessions. One that was used since uses were last written only looks run out in the store. */
export function sessionReapTask(
  reaping: ReapingStore,
  store: Pick<SessionStore, 'touch'>,
  touches: Touches,
): ReapTask {
  const writeUses = (tx: Tx, now: number, limit: number) => {
    const uses = new Map<SessionId, number>();
    for (const id of reaping.listDue(tx, now, limit)) {
      const at = touches.get(id);
      if (at !== undefined) uses.set(id, at);
    }
    if (uses.size > 0) store.touch(tx, uses);
  };
  return {
    name: 'sessions',
    postponeKept(tx, now, limit) {
      writeUses(tx, now, limit);
      return reaping.postponeKept(tx, now, limit);
    },
    deleteExpired(tx, now, limit) {
      writeUses(tx, now, limit);
      return reaping.deleteExpired(tx, now, limit);
    },
  };
}
