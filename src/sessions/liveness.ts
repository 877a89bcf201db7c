import type { Clock } from '../lib/clock.ts';
import type { SessionCache } from './cache.ts';
import { isLive, type RecognisedSession, type Session } from './model.ts';
import type { Refusals } from './refusals.ts';
import type { Touches } from './touches.ts';

export interface LivenessDeps {
  cache: Pick<SessionCache, 'peek'>;
  touches: Pick<Touches, 'get'>;
  refusals: Pick<Refusals, 'refuses'>;
  clock: Pick<Clock, 'now'>;
}

export type Liveness = ReturnType<typeof liveness>;

/** What of the store is live as a request to this process would find it: uses that are not written yet, or too small for it, count. */
export function liveness({ cache, touches, refusals, clock }: LivenessDeps) {
  const lastUseOf = ({ id, lastSeenAt }: Pick<RecognisedSession, 'id' | 'lastSeenAt'>) =>
    Math.max(lastSeenAt, touches.get(id) ?? 0, cache.peek(id)?.lastSeenAt ?? 0);

  const isLiveHere = (session: RecognisedSession, now: number) =>
    isLive({ ...session, lastSeenAt: lastUseOf(session) }, now);

  /** Those that are, newest use first. */
  const liveAmong = (sessions: readonly Session[]): Session[] => {
    const now = clock.now();
    return sessions
      .filter((session) => isLiveHere(session, now) && !refusals.refuses(session))
      .map((session) => ({ ...session, lastSeenAt: lastUseOf(session) }))
      .sort((a, b) => b.lastSeenAt - a.lastSeenAt);
  };

  return { lastUseOf, isLiveHere, liveAmong };
}
