import type { UserId } from '../users/model.ts';
import type { EndingTarget } from './ledger.ts';
import type { Session, SessionId } from './model.ts';

/** An end that the store could not take. */
export interface RefusedEnd {
  readonly target: EndingTarget;
  /** The sessions that it was known to end. */
  readonly ids: readonly SessionId[];
  /** When it was asked for: what begins later is not meant. */
  readonly at: number;
}

/**
 * Sessions that were to be ended when the store could not take it. This process refuses them from that moment on; the
 * store still says active, so the cache alone could not.
 */
export interface Refusals {
  add(end: RefusedEnd): void;
  refuses(session: Pick<Session, 'id' | 'kind' | 'userId' | 'parentId' | 'createdAt'>): boolean;
  /** What is still to be committed. */
  pending(): readonly RefusedEnd[];
  /** Called once the store has taken these. What was asked for since stays. */
  settle(ends: readonly RefusedEnd[]): void;
}

interface RefusedUser {
  before: number;
  except: SessionId | undefined;
  devices: boolean;
}

export function refusals(): Refusals {
  /** One for each target, however often it is asked for. */
  const waiting = new Map<string, RefusedEnd>();
  const sessions = new Set<SessionId>();
  const users = new Map<UserId, RefusedUser[]>();

  const remember = ({ target, ids, at }: RefusedEnd) => {
    for (const id of ids) sessions.add(id);
    if (!('user' in target)) return;
    const others = users.get(target.user) ?? [];
    users.set(target.user, [
      ...others,
      { before: at, except: target.except, devices: target.devices === true },
    ]);
  };
  const rebuild = () => {
    sessions.clear();
    users.clear();
    for (const end of waiting.values()) remember(end);
  };

  return {
    add(end) {
      const key = keyOf(end.target);
      const isRepeated = waiting.has(key);
      waiting.set(key, end);
      if (isRepeated) rebuild();
      else remember(end);
    },
    refuses({ id, kind, userId, parentId, createdAt }) {
      if (waiting.size === 0) return false;
      if (sessions.has(id) || (parentId !== undefined && sessions.has(parentId))) return true;
      const ends = users.get(userId) ?? [];
      return ends.some(
        ({ before, except, devices }) =>
          createdAt <= before &&
          (devices || kind !== 'device') &&
          (except === undefined || (id !== except && parentId !== except)),
      );
    },
    pending: () => [...waiting.values()],
    settle(ends) {
      for (const end of ends) {
        const key = keyOf(end.target);
        if (waiting.get(key) === end) waiting.delete(key);
      }
      rebuild();
    },
  };
}

function keyOf(target: EndingTarget): string {
  if ('session' in target) return target.session;
  return `${target.user} ${target.except ?? ''} ${target.devices === true}`;
}
