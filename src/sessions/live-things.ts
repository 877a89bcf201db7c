import type { RevokeReason, SessionId } from './model.ts';

export type CloseLiveThing = (reason: RevokeReason | 'expired') => void;

/** What lives only as long as a session does: streams, WebSockets, children, tunnels. */
export interface LiveThings {
  attach(id: SessionId, close: CloseLiveThing): Disposable;
  /** Closes and forgets everything of this session. One that fails to close does not keep the others. */
  close(id: SessionId, reason: RevokeReason | 'expired'): void;
  has(id: SessionId): boolean;
  /** Sessions that hold something. */
  ids(): SessionId[];
  readonly count: number;
}

export function liveThings(onError: (error: unknown) => void): LiveThings {
  const bySession = new Map<SessionId, Set<CloseLiveThing>>();
  let count = 0;

  return {
    attach(id, close) {
      const own: CloseLiveThing = (reason) => close(reason);
      const things = bySession.get(id) ?? new Set();
      bySession.set(id, things.add(own));
      count++;
      return {
        [Symbol.dispose]() {
          if (!things.delete(own)) return;
          count--;
          if (things.size === 0 && bySession.get(id) === things) bySession.delete(id);
        },
      };
    },
    close(id, reason) {
      const things = bySession.get(id);
      if (things === undefined) return;
      bySession.delete(id);
      count -= things.size;
      for (const close of things) {
        things.delete(close);
        try {
          close(reason);
        } catch (error) {
          onError(error);
        }
      }
    },
    has: (id) => bySession.has(id),
    ids: () => [...bySession.keys()],
    get count() {
      return count;
    },
  };
}
