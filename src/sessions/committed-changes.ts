import type { Clock } from '../lib/clock.ts';
import type { HereParts } from './elsewhere.ts';
import { type OutboxMessage, PUBLISHED_KEPT_MS } from './store-outbox.ts';

export interface CommittedChangesDeps {
  here: Pick<HereParts, 'cache' | 'live'> & {
    outbox: Pick<HereParts['outbox'], 'newestEver' | 'committedAfter'>;
  };
  clock: Pick<Clock, 'monotonicNow'>;
}

/** Reading more than that takes longer than forgetting everything. */
const MOST_ROWS = 2_000;

/**
 * Brings what is in memory up to what every process has committed since the last look, from the database itself: whoever can write to
 * Redis can keep an event from this process, and make the streams look as if nothing were missing. Throws AppError `unavailable`.
 */
export function committedChanges({ here: { outbox, cache, live }, clock }: CommittedChangesDeps): () => void {
  let last: { readonly id: number; readonly at: number } | undefined;

  const apply = (message: OutboxMessage) => {
    if ('person' in message) return cache.evictUser(message.person);
    if ('everywhere' in message) return cache.evictUser(message.everywhere.userId);
    const { change, session } = message;
    if (change !== 'revoked') return cache.evict(session.id);
    cache.revoke(session.id);
    // What hangs on it may be in memory here and in no list.
    cache.evictUser(session.userId);
    if (live.has(session.id)) live.close(session.id, session.revokeReason ?? 'revoked_elsewhere');
  };

  const applySince = (id: number, newest: number) => {
    if (newest === id) return;
    const rows = newest - id > MOST_ROWS ? [] : outbox.committedAfter(id, MOST_ROWS);
    // Some were rolled back, or are deleted already.
    if (rows.length < newest - id) cache.clear();
    for (const { message } of rows) apply(message);
  };

  return () => {
    const at = clock.monotonicNow();
    const id = outbox.newestEver();
    // After a long pause rows that nobody has looked at may be gone.
    if (last === undefined || at - last.at > PUBLISHED_KEPT_MS / 2) cache.clear();
    else applySince(last.id, id);
    last = { id, at };
  };
}
