import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';
import type { SessionSnapshot } from './model.ts';

export type SessionListener = (snapshots: readonly SessionSnapshot[]) => void;

/** Tells every part of this process what became of sessions, after the commit. */
export interface SessionEvents {
  publish(snapshots: readonly SessionSnapshot[]): void;
  subscribe(listener: SessionListener): Disposable;
}

/**
 * Within one process an event is a function call; listeners are called in the order they subscribed.
 * `dropped` counts what a listener that threw did not get.
 */
export function inProcessSessionEvents(log: Logger, dropped: Counter): SessionEvents {
  const listeners = new Set<SessionListener>();
  return {
    publish(snapshots) {
      for (const listener of listeners) {
        try {
          listener(snapshots);
        } catch (error) {
          dropped.inc(snapshots.length);
          log.error('a listener of session events failed', { error });
        }
      }
    },
    subscribe(listener) {
      const own: SessionListener = (snapshots) => listener(snapshots);
      listeners.add(own);
      return { [Symbol.dispose]: () => void listeners.delete(own) };
    },
  };
}
