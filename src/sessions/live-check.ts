import { inChunks } from '../lib/chunks.ts';
import type { Clock } from '../lib/clock.ts';
import type { LiveThings } from './live-things.ts';
import type { Liveness } from './liveness.ts';
import type { SessionId } from './model.ts';
import type { SessionStore } from './store-contract.ts';

export interface LiveCheckDeps {
  store: Pick<SessionStore, 'find'>;
  live: Pick<LiveThings, 'ids' | 'close' | 'isHeldByOther'>;
  isLiveHere: Liveness['isLiveHere'];
  clock: Pick<Clock, 'now'>;
}

/** Sessions that are asked for together, where somebody else has to be asked. */
const FOUND_AT_ONCE = 500;

/**
 * Closes what hangs on sessions that are over, or have another key by now. All are looked at, and then it rejects with
 * AppError `unavailable` where one could not be read.
 */
export function liveCheck({ store, live, isLiveHere, clock }: LiveCheckDeps): () => Promise<void> {
  const check = async (id: SessionId) => {
    const session = await store.find(id);
    if (session === undefined || !isLiveHere(session, clock.now()))
      live.close(id, session?.revokeReason ?? 'expired');
    else if (live.isHeldByOther(id, session.clientPublicKey)) live.close(id, 'replaced');
  };

  return async () => {
    let failed: PromiseRejectedResult | undefined;
    for (const ids of inChunks(live.ids(), FOUND_AT_ONCE)) {
      const checked = await Promise.allSettled(ids.map(check));
      failed = checked.find((each) => each.status === 'rejected') ?? failed;
    }
    if (failed !== undefined) throw failed.reason;
  };
}
