import { readBefore, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { UserId } from '../users/model.ts';
import type { RecognisedSession, Session, SessionId } from './model.ts';
import type { TreeRow } from './store.ts';
import type { SessionMemory } from './store-contract.ts';
import type { HeldSessions } from './store-held-redis.ts';

interface WriteReadsDeps {
  held: Pick<HeldSessions, 'tree' | 'ofUser' | 'read'>;
  memory: SessionMemory;
}

/** What one write has learnt and done about sessions in Redis. */
interface WriteState {
  readonly seen: Map<SessionId, Session>;
  /** Begun in this write: Redis gets them after its commit. */
  readonly begun: Map<SessionId, Session>;
  isPartial: boolean;
}

/** What Redis answered, or why it could not. */
type Asked = { readonly sessions: readonly Session[] } | { readonly away: AppError };

/**
 * What a write has to know of browser sessions before it ends some: what Redis answers (`readBefore`), and where it is away or
 * has lost them, what memory knows.
 */
export function writeReads({ held, memory }: WriteReadsDeps) {
  const states = new WeakMap<Tx, WriteState>();
  const stateOf = (tx: Tx): WriteState => {
    const known = states.get(tx);
    if (known !== undefined) return known;
    const state = { seen: new Map(), begun: new Map(), isPartial: false };
    states.set(tx, state);
    return state;
  };
  const remember = (tx: Tx, sessions: readonly Session[]) => {
    const { seen } = stateOf(tx);
    for (const session of sessions) seen.set(session.id, session);
    return sessions;
  };

  /** What memory knows besides: Redis may have lost what is still served from here, or from there. */
  const andRemembered = (tx: Tx, sessions: readonly Session[], memories: readonly RecognisedSession[]) => {
    const found = new Set(sessions.map(({ id }) => id));
    const besides = memories.filter(({ id }) => !found.has(id)).map(withoutOrigin);
    return remember(tx, [...sessions, ...besides]);
  };
  const fromMemory = (tx: Tx, memories: readonly RecognisedSession[]) => {
    stateOf(tx).isPartial = true;
    return andRemembered(tx, [], memories);
  };

  /** Everything in Redis that belongs to this tree. @throws AppError `unavailable` where nobody knows of it. */
  const below = (tx: Tx, id: SessionId, rows: readonly TreeRow[]): readonly Session[] => {
    const ids = [...new Set([id, ...rows.map((row) => row.id)])];
    const answer = readBefore(tx, `tree ${id}`, () => orAway(held.tree(ids)), { value: NOTHING });
    const root = rows.find((row) => row.id === id) ?? memory.find(id);
    if ('away' in answer && root === undefined) throw answer.away;
    const isBelow = (each: RecognisedSession) =>
      each.id === id || (each.parentId !== undefined && ids.includes(each.parentId));
    const memories = root === undefined ? [] : memory.ofUser(root.userId).filter(isBelow);
    return 'away' in answer ? fromMemory(tx, memories) : andRemembered(tx, answer.sessions, memories);
  };

  const heldOfUser = (tx: Tx, userId: UserId): readonly Session[] => {
    const answer = readBefore(tx, `user ${userId}`, () => orAway(held.ofUser(userId)), { value: NOTHING });
    const memories = memory.ofUser(userId);
    return 'away' in answer ? fromMemory(tx, memories) : andRemembered(tx, answer.sessions, memories);
  };

  /** These, as far as they are in Redis. @throws AppError `unavailable` where one of them nobody knows of. */
  const heldAmong = (tx: Tx, ids: readonly SessionId[]): Session[] => {
    const { seen } = stateOf(tx);
    const unseen = ids.filter((id) => !seen.has(id));
    if (unseen.length > 0) {
      const answer = readBefore(tx, `sessions ${unseen.join(' ')}`, () => orAway(held.read(unseen)));
      const memories = unseen.flatMap((id) => memory.find(id) ?? []);
      if ('sessions' in answer) andRemembered(tx, answer.sessions, memories);
      else if (memories.length < unseen.length) throw answer.away;
      else fromMemory(tx, memories);
    }
    return ids.flatMap((id) => seen.get(id) ?? []);
  };

  return { stateOf, remember, below, heldOfUser, heldAmong };
}

const NOTHING: Asked = { sessions: [] };

async function orAway(asking: Promise<readonly Session[]>): Promise<Asked> {
  try {
    return { sessions: await asking };
  } catch (error) {
    if (error instanceof AppError && error.kind === 'unavailable') return { away: error };
    throw error;
  }
}

/** What memory keeps of a session is enough to say that it is over, not where it came from. */
export function withoutOrigin(session: RecognisedSession): Session {
  return {
    ...session,
    revokedAt: undefined,
    revokeReason: undefined,
    origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
    label: undefined,
    scope: undefined,
    deviceId: undefined,
    clientPublicKey: undefined,
  };
}
