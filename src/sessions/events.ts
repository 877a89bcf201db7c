import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';
import type { Session, SessionSnapshot } from './model.ts';

export type SessionListener = (snapshots: readonly SessionSnapshot[]) => void;

/** Which sessions somebody wants to hear of when they began or changed in another process: finding them costs a look-up. */
export type Interest = (session: Pick<Session, 'kind' | 'userId'>) => boolean;

/** Tells every part of this process what became of sessions, after the commit. */
export interface SessionEvents {
  publish(snapshots: readonly SessionSnapshot[]): void;
  /** Every end is told, here or in another process; what began or changed there, to those who want it. */
  subscribe(listener: SessionListener, wants?: Interest): Disposable;
  /** Whether anybody wants to hear of such a session. */
  isWanted(session: Parameters<Interest>[0]): boolean;
}

/**
 * Within one process an event is a function call; listeners are called in the order they subscribed.
 * `dropped` counts what a listener that threw did not get.
 */
export function inProcessSessionEvents(log: Logger, dropped: Counter): SessionEvents {
  const listeners = new Map<SessionListener, Interest | undefined>();
  return {
    publish(snapshots) {
      for (const listener of listeners.keys()) {
        try {
          listener(snapshots);
        } catch (error) {
          dropped.inc(snapshots.length);
          log.error('a listener of session events failed', { error });
        }
      }
    },
    subscribe(listener, wants) {
      const own: SessionListener = (snapshots) => listener(snapshots);
      listeners.set(own, wants);
      return { [Symbol.dispose]: () => void listeners.delete(own) };
    },
    isWanted: (session) => listeners.values().some((wants) => wants?.(session) === true),
  };
}
