import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import { limitedWarnings } from '../lib/limited-warnings.ts';
import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';
import { taskQueue } from '../lib/task-queue.ts';
import type { HereParts } from './elsewhere.ts';
import { decodeEvent, type EventStreamName, isOfPerson, type SessionChange } from './event-wire.ts';
import type { Session, SessionId } from './model.ts';
import type { OwnEvents } from './own-events.ts';

/** What was found in a stream; anybody may have written it. */
export interface StreamEntry {
  readonly stream: EventStreamName;
  readonly id: string;
  readonly fields: unknown;
}

/** Why an event was dropped. */
export type DropReason = 'malformed_event' | 'store_failure';

export interface ForeignEventsDeps {
  here: HereParts;
  own: OwnEvents;
  dropped: (stream: EventStreamName, reason: DropReason) => Counter;
  clock: Pick<Clock, 'monotonicNow'>;
  log: Logger;
}

export interface ForeignEvents {
  /** Applies what was read, in order. Memory knows at once; resolves when there is room for more of what takes longer. */
  apply(entries: readonly StreamEntry[]): Promise<void> | undefined;
  /** Resolves when nothing of it is on its way. */
  settled(): Promise<void>;
}

/** Ids of sessions are no longer; whatever else is named is not in any store. */
const SESSION_ID = /^ses_[a-z2-7]{26}$/;
/** Ends that this process has told of: each is told once, however often it is heard of. */
const TOLD_ENDS = 50_000;
/** Looked up at the same time, and waiting for that. */
const LOOK_UPS = { maxRunning: 32, maxWaiting: 1_024 };
/** Whoever writes to a stream must not fill the disk with what we say about it. */
const WARNINGS_A_MINUTE = 60;

/**
 * What comes from outside can only take away. What is said to be active is read again; what is said to be over is refused
 * from now on, and ended in the store where that does not say so yet. Everything else that is told of a session is what
 * the store says.
 */
export function foreignEvents({ here, own, dropped, clock, log }: ForeignEventsDeps): ForeignEvents {
  const { cache, live, events } = here;
  const toldEnds = new LRUCache<SessionId, true>({ max: TOLD_ENDS });
  const lookUps = taskQueue(LOOK_UPS);
  const warn = limitedWarnings(log, clock, {
    perMinute: WARNINGS_A_MINUTE,
    more: 'more events of sessions were dropped',
  });
  events.subscribe((snapshots) => {
    for (const { change, session } of snapshots) if (change === 'revoked') toldEnds.set(session.id, true);
  });

  /** Listeners hear what the store says, and of an end once. */
  const tell = (session: Session) => {
    if (session.status === 'active') events.publish([{ change: 'changed', session }]);
    else if (!toldEnds.has(session.id)) events.publish([{ change: 'revoked', session }]);
  };

  const later = (entry: StreamEntry, lookUp: () => Promise<void>) =>
    lookUps.add(async () => {
      try {
        await lookUp();
      } catch (error) {
        drop(entry, 'store_failure', { error });
      }
    });
  const drop = (
    { stream, id }: StreamEntry,
    reason: DropReason,
    detail: { problem: string } | { error: unknown },
  ) => {
    dropped(stream, reason).inc();
    warn('an event of sessions was dropped', { stream, event: id, reason, ...detail });
  };

  /** The store that answers at once is asked at once: what is over in it was ended by a process of ours, which knows why. */
  const end = (entry: StreamEntry, { id }: SessionChange) => {
    const known = here.findDurable(id);
    if (known?.status === 'revoked') return tell(known);
    live.close(id, 'revoked_elsewhere');
    later(entry, async () => {
      const session = known ?? (await here.find(id));
      if (session?.status === 'active') await here.endForeign(id);
      else if (session !== undefined) tell(session);
    });
  };

  const readAgain = (entry: StreamEntry, { id, kind, userId }: SessionChange) => {
    const isWanted = events.isWanted({ kind, userId: userId as Session['userId'] });
    if (!isWanted && !(kind === 'device' && live.has(id))) return;
    if (kind !== 'user') return tellActive(here.findDurable(id));
    later(entry, async () => tellActive(await here.find(id)));
  };
  /** Of an end that the store knows of already, an event of its own is on the way. */
  const tellActive = (session: Session | undefined) => {
    if (session?.status === 'active') tell(session);
  };

  const applyChange = (entry: StreamEntry, event: SessionChange) => {
    if (own.takeBack(event)) return;
    // And then as any: who names a session twice keeps nothing of it in memory.
    if (isOfPerson(event)) cache.evictUser(event.userId as Session['userId']);
    if (event.status === 'active') cache.evict(event.id);
    else cache.revoke(event.id);
    if (!SESSION_ID.test(event.id)) return;
    try {
      if (event.status === 'active') readAgain(entry, event);
      else end(entry, event);
    } catch (error) {
      drop(entry, 'store_failure', { error });
    }
  };

  const applyOne = (entry: StreamEntry) => {
    const decoded = decodeEvent(entry.stream, entry.fields);
    if (decoded.ok) {
      if (decoded.event.type === 'session') applyChange(entry, decoded.event);
      return;
    }
    for (const id of decoded.named) cache.evict(id);
    drop(entry, 'malformed_event', { problem: decoded.problem });
  };

  return {
    apply(entries) {
      for (const entry of entries) applyOne(entry);
      return lookUps.room();
    },
    settled: () => lookUps.settled(),
  };
}
