import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { UserId } from '../users/model.ts';
import type { SessionCache } from './cache.ts';
import type { EndAllContext, EndingContext, EndingTarget, Ledger, VoidDependents } from './ledger.ts';
import type { LiveThings } from './live-things.ts';
import type { RevokeReason, Session, SessionId, SessionKind } from './model.ts';
import type { Outbox } from './outbox.ts';
import type { Refusals } from './refusals.ts';
import type { SessionStore } from './store.ts';

export interface EndingDeps {
  db: Db;
  store: SessionStore;
  outbox: Outbox;
  cache: SessionCache;
  live: LiveThings;
  refusals: Refusals;
  audit: AuditRecorder;
  clock: Clock;
}

type Ending = Pick<Ledger, 'end' | 'endAll' | 'endIn' | 'endAllIn' | 'writeEnding' | 'whenEnding'> & {
  /** Revokes exactly these, without an audit row of its own. */
  replace(tx: Tx, ids: readonly SessionId[]): void;
  /** Commits what an outage kept from being committed. */
  retryRefused(): Promise<void>;
};

/** The one way sessions end before their time. What each act ends is DESIGN.md section 1. */
export function ending(deps: EndingDeps): Ending {
  const { db, store, outbox, cache, live, refusals, audit, clock } = deps;
  const voiders: VoidDependents[] = [];

  const revoke = (tx: Tx, ids: readonly SessionId[], reason: RevokeReason): Session[] => {
    const at = clock.now();
    const revoked = store.revoke(tx, ids, { at, reason });
    outbox.send(
      tx,
      revoked.map((session) => ({ change: 'revoked', session })),
      at,
    );
    for (const voidDependents of voiders) voidDependents(tx, ids, reason);
    return revoked;
  };

  const endIn = (tx: Tx, id: SessionId, context: EndingContext): boolean => {
    const ids = store.activeTree(tx, id);
    const [root] = revoke(
      tx,
      ids.filter((each) => each === id),
      context.reason,
    );
    revoke(
      tx,
      ids.filter((each) => each !== id),
      'parent_ended',
    );
    if (root === undefined) return false;
    audit.record(tx, {
      at: clock.now(),
      action: root.clientId === undefined ? 'session.revoked' : 'token.revoked',
      outcome: 'success',
      actorUserId: context.actorUserId,
      subjectUserId: root.userId,
      sessionId: id,
      address: context.address,
      detail: { reason: context.reason, sessions: ids.length },
    });
    return true;
  };

  const endAllIn = (tx: Tx, userId: UserId, context: EndAllContext): number => {
    const kinds: SessionKind[] = context.devices === true ? ['user', 'grant', 'device'] : ['user', 'grant'];
    const kept = new Set(context.except === undefined ? [] : store.activeTree(tx, context.except));
    const ids = store.activeOfUser(tx, userId, kinds, context.begunBefore).filter((id) => !kept.has(id));
    const revoked = revoke(tx, ids, context.reason);
    store.setEndedBefore(tx, userId, context.begunBefore ?? clock.now());
    audit.record(tx, {
      at: clock.now(),
      action: 'sessions.revoked_everywhere',
      outcome: 'success',
      actorUserId: context.actorUserId,
      subjectUserId: userId,
      sessionId: context.except,
      address: context.address,
      detail: { reason: context.reason, sessions: revoked.length },
    });
    return revoked.length;
  };

  const refuse = (target: EndingTarget) => {
    const ids = 'session' in target ? treeOf(target.session) : userSessionsOf(target);
    refusals.add({ target, ids, at: clock.now() });
    for (const id of ids) {
      cache.revoke(id);
      live.close(id, 'ended_by_user');
    }
  };

  /** Reading may work while writing does not; where neither does, the session itself is known all the same. */
  const treeOf = (id: SessionId): SessionId[] =>
    orIfUnreadable(() => [...new Set([id, ...store.activeTree(db.reader, id)])], [id]);
  const userSessionsOf = ({
    user,
    except,
  }: {
    user: UserId;
    except?: SessionId | undefined;
  }): SessionId[] => {
    const all = orIfUnreadable(
      () => store.activeOfUser(db.reader, user, ['user', 'grant']),
      cache.ofUser(user),
    );
    const kept = new Set(except === undefined ? [] : treeOf(except));
    return all.filter((id) => !kept.has(id));
  };

  const writeEnding = async <T>(targets: readonly EndingTarget[], job: (tx: Tx) => T): Promise<T> => {
    try {
      return await db.write(job);
    } catch (error) {
      if (isOutage(error)) for (const target of targets) refuse(target);
      throw error;
    }
  };

  return {
    endIn,
    endAllIn,
    writeEnding,
    end: (id, context) => writeEnding([{ session: id }], (tx) => endIn(tx, id, context)),
    endAll: (userId, context) =>
      writeEnding([{ user: userId, except: context.except }], (tx) => endAllIn(tx, userId, context)),
    whenEnding: (voidDependents) => void voiders.push(voidDependents),
    replace: (tx, ids) => void revoke(tx, ids, 'replaced'),

    async retryRefused() {
      const ends = refusals.pending();
      if (ends.length === 0) return;
      await db.write((tx) => {
        for (const { target, ids, at } of ends) {
          if ('user' in target)
            endAllIn(tx, target.user, { reason: 'everywhere', except: target.except, begunBefore: at });
          for (const id of ids) endIn(tx, id, { reason: 'ended_by_user' });
        }
      });
      refusals.settle(ends);
    },
  };
}

function isOutage(error: unknown): boolean {
  return error instanceof AppError && error.kind === 'unavailable';
}

function orIfUnreadable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
