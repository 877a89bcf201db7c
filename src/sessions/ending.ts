import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import { inChunks } from '../lib/chunks.ts';
import type { Clock } from '../lib/clock.ts';
import type { UserId } from '../users/model.ts';
import { guestLinkAudience } from './audience.ts';
import type { SessionCache } from './cache.ts';
import { guestLinkGroup, providerSidGroup } from './groups.ts';
import type { EndAllContext, EndingContext, EndingTarget, Ledger, VoidDependents } from './ledger.ts';
import type { LiveThings } from './live-things.ts';
import type { RevokeReason, Session, SessionId, SessionKind } from './model.ts';
import type { Outbox } from './outbox.ts';
import type { Refusals, RefusedEnd } from './refusals.ts';
import type { SessionStore } from './store-contract.ts';
import type { Everywhere } from './store-outbox.ts';

export interface EndingDeps {
  db: Db;
  store: SessionStore;
  outbox: Outbox;
  cache: SessionCache;
  live: LiveThings;
  refusals: Refusals;
  audit: AuditRecorder;
  clock: Clock;
  /** How long a browser session may last. */
  longestMs: number;
}

type Ending = Pick<
  Ledger,
  | 'end'
  | 'endAll'
  | 'endIn'
  | 'endAllIn'
  | 'endGuestsIn'
  | 'endProviderSessionIn'
  | 'writeEnding'
  | 'whenEnding'
> & {
  /** Revokes exactly these, without an audit row of its own. */
  replace(tx: Tx, ids: readonly SessionId[]): void;
  /** Commits what an outage kept from being committed. */
  retryRefused(): Promise<void>;
  /** Revokes what an "everywhere" could not find. @throws AppError `unavailable` where it cannot be found yet. */
  endOwed(everywhere: Everywhere): Promise<void>;
};

/** What ends together, as far as it is known. */
interface EndingGroup {
  readonly ids: readonly SessionId[];
  readonly userId: UserId | undefined;
  readonly name: string;
  readonly expiresAt: number;
}

/** What is voided goes into one statement, which takes so many ids. */
const VOIDED_AT_ONCE = 1_000;

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
    for (const chunk of inChunks(ids, VOIDED_AT_ONCE)) {
      for (const voidDependents of voiders) voidDependents(tx, chunk, reason);
    }
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
    const kept = new Set(context.except === undefined ? [] : store.activeTree(tx, context.except));
    const ids = store
      .activeOfUser(tx, userId, kindsOf(context), context.begunBefore)
      .filter((id) => !kept.has(id));
    const revoked = revoke(tx, ids, context.reason);
    const before = context.begunBefore ?? clock.now();
    const { except, reason } = context;
    store.setEndedBefore(tx, userId, before, except);
    // One that began elsewhere meanwhile may be in no list yet: it is looked for again after the commit.
    outbox.sendEverywhere(tx, { userId, before, except, reason }, clock.now());
    // And what memory holds that is in no list is read again.
    afterCommit(tx, () => cache.evictUser(userId));
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

  /**
   * Ends these, and whatever else belongs to the group: one that has just begun elsewhere, or was taken from the lists in Redis,
   * is found by nobody. `userId`: whose they are, where that is known.
   */
  const endGroupIn = (
    tx: Tx,
    { ids, userId, name, expiresAt }: EndingGroup,
    context: EndingContext,
  ): number => {
    const ended = ids.filter((id) => endIn(tx, id, context)).length;
    const at = clock.now();
    store.endGroup(tx, { name, at, expiresAt });
    if (userId === undefined) return ended;
    outbox.sendPerson(tx, userId, at);
    afterCommit(tx, () => cache.evictUser(userId));
    return ended;
  };

  const refuse = (target: EndingTarget) => {
    const ids = 'session' in target ? treeOf(target.session) : userSessionsOf(target);
    refusals.add({ target, ids, at: clock.now() });
    for (const id of ids) {
      cache.revoke(id);
      live.close(id, contextOf(target).reason);
    }
  };

  /** Reading may work while writing does not; where neither does, the session itself is known all the same. */
  const treeOf = (id: SessionId): SessionId[] =>
    orIfUnreadable(
      () => [...new Set([id, ...store.knownTree(id)])],
      () => [id],
    );
  const userSessionsOf = (target: Extract<EndingTarget, { user: UserId }>): SessionId[] => {
    const kinds = kindsOf(target);
    const all = orIfUnreadable(
      () => store.knownOfUser(target.user, kinds),
      () => cachedOf(target.user, kinds),
    );
    const kept = new Set(target.except === undefined ? [] : treeOf(target.except));
    return all.filter((id) => !kept.has(id));
  };
  const cachedOf = (userId: UserId, kinds: readonly SessionKind[]): SessionId[] =>
    cache.ofUser(userId).filter((id) => {
      const kind = cache.peek(id)?.session.kind;
      return kind !== undefined && kinds.includes(kind);
    });

  const writeEnding = async <T>(targets: readonly EndingTarget[], job: (tx: Tx) => T): Promise<T> => {
    try {
      return await db.write(job);
    } catch (error) {
      if (isOutage(error)) for (const target of targets) refuse(target);
      throw error;
    }
  };

  const commitRefused = async ({ target, ids, at }: RefusedEnd): Promise<void> => {
    const context = contextOf(target);
    if ('user' in target) {
      const { user, except, devices } = target;
      await db.write((tx) => endAllIn(tx, user, { ...context, except, devices, begunBefore: at }));
    }
    // Each in a write of its own: together they share a commit all the same.
    await Promise.all(ids.map((id) => db.write((tx) => endIn(tx, id, context))));
  };

  return {
    endIn,
    endAllIn,
    writeEnding,
    endGuestsIn(tx, { parentId, linkId, expiresAt }, context) {
      const ids = store.childrenAt(tx, parentId, guestLinkAudience(linkId));
      const userId = store.read(tx, parentId)?.userId;
      return endGroupIn(tx, { ids, userId, name: guestLinkGroup(linkId), expiresAt }, context);
    },
    endProviderSessionIn(tx, { provider, sid, userId }, context) {
      const ids = store.readByProviderSid(tx, provider, sid).map(({ id }) => id);
      const expiresAt = clock.now() + deps.longestMs;
      return endGroupIn(tx, { ids, userId, name: providerSidGroup(provider, sid), expiresAt }, context);
    },
    end: (id, context) => writeEnding([{ session: id, context }], (tx) => endIn(tx, id, context)),
    endAll: (userId, context) =>
      writeEnding([{ user: userId, except: context.except, devices: context.devices, context }], (tx) =>
        endAllIn(tx, userId, context),
      ),
    whenEnding: (voidDependents) => void voiders.push(voidDependents),
    replace: (tx, ids) => void revoke(tx, ids, 'replaced'),

    endOwed: ({ userId, before, except, reason }) =>
      db.write((tx) => {
        const kept = new Set(except === undefined ? [] : store.activeTree(tx, except));
        const ids = store.activeOfUser(tx, userId, kindsOf({}), before).filter((id) => !kept.has(id));
        if (!store.knowsAll(tx)) throw notFoundYet();
        revoke(tx, ids, reason);
      }),

    async retryRefused() {
      for (const end of refusals.pending()) {
        await commitRefused(end);
        refusals.settle([end]);
      }
    },
  };
}

const notFoundYet = () =>
  new AppError('unavailable', 'store_unavailable', 'Sessions cannot be looked up right now.');

function isOutage(error: unknown): boolean {
  return error instanceof AppError && error.kind === 'unavailable';
}

/** Devices stay unless they are asked for. */
function kindsOf({ devices }: { devices?: boolean | undefined }): SessionKind[] {
  return devices === true ? ['user', 'grant', 'device'] : ['user', 'grant'];
}

function contextOf(target: EndingTarget): EndingContext {
  return target.context ?? { reason: 'session' in target ? 'ended_by_user' : 'everywhere' };
}

function orIfUnreadable<T>(read: () => T, otherwise: () => T): T {
  try {
    return read();
  } catch {
    return otherwise();
  }
}
