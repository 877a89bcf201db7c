import type { RevokeReason, SessionId } from './model.ts';

export type CloseLiveThing = (reason: RevokeReason | 'expired') => void;

/** What lives only as long as a session does: streams, WebSockets, children, tunnels. */
export interface LiveThings {
  /** `publicKey`: it was opened with this key of a device, and ends with it. */
  attach(id: SessionId, close: CloseLiveThing, publicKey?: string): Disposable;
  /** Closes and forgets everything of this session. One that fails to close does not keep the others. */
  close(id: SessionId, reason: RevokeReason | 'expired'): void;
  has(id: SessionId): boolean;
  /** Whether something of this session was opened with another key than this. */
  isHeldByOther(id: SessionId, publicKey: string | undefined): boolean;
  /** Sessions that hold something. */
  ids(): SessionId[];
  readonly count: number;
}

export function liveThings(onError: (error: unknown) => void): LiveThings {
  const bySession = new Map<SessionId, Map<CloseLiveThing, string | undefined>>();
  let count = 0;

  return {
    attach(id, close, publicKey) {
      const own: CloseLiveThing = (reason) => close(reason);
      const things = bySession.get(id) ?? new Map<CloseLiveThing, string | undefined>();
      bySession.set(id, things.set(own, publicKey));
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
      for (const close of things.keys()) {
        things.delete(close);
        try {
          close(reason);
        } catch (error) {
          onError(error);
        }
      }
    },
    has: (id) => bySession.has(id),
    isHeldByOther: (id, publicKey) =>
      bySession
        .get(id)
        ?.values()
        .some((key) => key !== undefined && key !== publicKey) === true,
    ids: () => [...bySession.keys()],
    get count() {
      return count;
    },
  };
}
