import type { UserId } from '../users/model.ts';
import type { EndingTarget } from './ledger.ts';
import type { Session, SessionId } from './model.ts';

/**
 * Sessions that were to be ended when the store could not take it. This process refuses them from that moment on; the
 * store still says active, so the cache alone could not.
 */
export interface Refusals {
  add(target: EndingTarget, ids: readonly SessionId[], at: number): void;
  refuses(session: Pick<Session, 'id' | 'userId' | 'parentId' | 'createdAt'>): boolean;
  /** What is still to be committed. */
  pending(): readonly EndingTarget[];
  /** Called once the store has taken these. */
  settle(targets: readonly EndingTarget[]): void;
}

interface RefusedUser {
  before: number;
  except: ReadonlySet<SessionId>;
}

export function refusals(): Refusals {
  const waiting = new Map<EndingTarget, readonly SessionId[]>();
  const sessions = new Set<SessionId>();
  const users = new Map<UserId, RefusedUser>();

  return {
    add(target, ids, at) {
      waiting.set(target, ids);
      for (const id of ids) sessions.add(id);
      if ('user' in target) {
        users.set(target.user, {
          before: at,
          except: new Set(target.except === undefined ? [] : [target.except]),
        });
      }
    },
    refuses({ id, userId, parentId, createdAt }) {
      if (waiting.size === 0) return false;
      if (sessions.has(id) || (parentId !== undefined && sessions.has(parentId))) return true;
      const user = users.get(userId);
      if (user === undefined || createdAt > user.before) return false;
      return !user.except.has(id) && !(parentId !== undefined && user.except.has(parentId));
    },
    pending: () => [...waiting.keys()],
    settle(targets) {
      for (const target of targets) {
        for (const id of waiting.get(target) ?? []) sessions.delete(id);
        waiting.delete(target);
        if ('user' in target) users.delete(target.user);
      }
    },
  };
}
