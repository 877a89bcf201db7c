import type { SessionCache } from './cache.ts';
import type { SessionEvents } from './events.ts';
import type { LiveThings } from './live-things.ts';
import type { SessionSnapshot } from './model.ts';

export interface EventEffectsDeps {
  events: SessionEvents;
  cache: Pick<SessionCache, 'revoke' | 'evictUser' | 'ofUser' | 'peek'>;
  live: Pick<LiveThings, 'close' | 'isHeldByOther'>;
  /** Whether other processes end sessions too. */
  isShared: boolean;
}

/** Has events change what is in memory, first of all, and close what hangs on a session. Until it is disposed of. */
export function eventEffects({ events, cache, live, isShared }: EventEffectsDeps): Disposable {
  /** Whoever ended it may not have found what hangs on it: memory here may hold what another process and Redis do not know. */
  const endUnlisted = ({ change, session: { id, userId } }: SessionSnapshot) => {
    if (change !== 'revoked') return;
    for (const other of cache.ofUser(userId)) {
      if (cache.peek(other)?.session.parentId !== id) continue;
      cache.revoke(other);
      live.close(other, 'parent_ended');
    }
    cache.evictUser(userId);
  };
  const close = ({ change, session: { id, revokeReason, clientPublicKey } }: SessionSnapshot) => {
    if (change === 'revoked') live.close(id, revokeReason ?? 'ended_by_user');
    // What was opened with a key that another process has taken from a device.
    else if (live.isHeldByOther(id, clientPublicKey)) live.close(id, 'replaced');
  };

  return events.subscribe((snapshots) => {
    for (const { change, session } of snapshots) if (change === 'revoked') cache.revoke(session.id);
    if (isShared) for (const snapshot of snapshots) endUnlisted(snapshot);
    for (const snapshot of snapshots) close(snapshot);
  });
}
