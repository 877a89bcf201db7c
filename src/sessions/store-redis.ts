import { completeAfterCommit, readBefore, type Tx } from '../db/write.ts';
import type {
  CredentialUse,
  FoundCredential,
  RecognisedSession,
  Session,
  SessionId,
  SessionKind,
  TokenHash,
} from './model.ts';
import type { DurableSessionStore } from './store.ts';
import type { SessionMemory, SessionStore } from './store-contract.ts';
import type { HeldSessions } from './store-held-redis.ts';
import type { StandingStore } from './store-standing.ts';
import { withoutOrigin, writeReads } from './store-write-reads-redis.ts';

/** Besides what every store does. */
export interface SharedSessionStore extends SessionStore {
  /** Whether the database alone says that a session in memory is over. @throws AppError `unavailable`. */
  isOver(session: RecognisedSession): boolean;
}

export interface SharedSessionStoreDeps {
  /** Grants, devices and tombstones. */
  durable: DurableSessionStore;
  standing: StandingStore;
  held: HeldSessions;
  memory: SessionMemory;
  /** The count of sessions in Redis, as it was last known. */
  countHeld: () => number;
  /** Told that Redis still has what was revoked: it is taken from there when Redis is back. */
  onLeftBehind: (error: unknown) => void;
}

/**
 * Browser sessions in Redis, everything else in the database. What was revoked is decided by the database alone: its
 * tombstone is committed with the act, and Redis is told afterwards. What a write has to know of Redis is read before it
 * (`readBefore`); an end goes on with what memory and the database know where Redis is away.
 */
export function sharedSessionStore(deps: SharedSessionStoreDeps): SharedSessionStore {
  const { durable, standing, held, memory } = deps;
  const { stateOf, remember, below, heldOfUser, heldAmong } = writeReads(deps);

  /** As it stands by what the database says; `undefined` where its person is gone. */
  const judged = (session: Session): Session | undefined => {
    const found = standing.of(session);
    if (found === undefined || found.ended === undefined) return found && session;
    return { ...session, status: 'revoked', ...found.ended };
  };
  const active = (sessions: readonly Session[]): Session[] =>
    sessions.filter((session) => judged(session)?.status === 'active');

  /** A row of a browser session that nobody revoked is one that has not been moved to Redis, or is on its way. */
  const isSettled = (row: Session | undefined): row is Session =>
    row !== undefined && (row.kind !== 'user' || row.status === 'revoked');
  const isDurable = ({ kind }: { kind: SessionKind }) => kind !== 'user';

  const takeFromRedis = (tx: Tx, ids: readonly SessionId[]) => {
    if (ids.length === 0) return;
    completeAfterCommit(tx, async () => {
      try {
        await held.remove(ids);
      } catch (error) {
        deps.onLeftBehind(error);
      }
    });
  };

  return {
    async findByHash(hash: TokenHash, use: CredentialUse): Promise<FoundCredential | undefined> {
      if (use !== 'cookie') return durable.findByHash(hash, use);
      const session = await held.findByHash(hash);
      return session === undefined ? undefined : foundBy(hash, session, standing);
    },

    findSigner: (id) => durable.findSigner(id),

    async find(id) {
      const row = durable.find(id);
      if (isSettled(row)) return row;
      const [session] = await held.read([id]);
      return session === undefined ? row : judged(session);
    },

    async listActive(userId) {
      const others = durable.listActive(userId).filter(isDurable);
      const ours = active(await held.ofUser(userId));
      return [...others, ...ours].sort((a, b) => b.lastSeenAt - a.lastSeenAt);
    },

    async findByProviderSid(provider, sid) {
      return active(await held.ofProviderSid(provider, sid));
    },

    isOver: (session) => judged(withoutOrigin(session))?.status !== 'active',

    countActiveByKind: () => ({ ...durable.countActiveByKind(), user: deps.countHeld() }),

    findUser: (tx, id) => durable.findUser(tx, id),

    read(tx, id) {
      const row = durable.read(tx, id);
      if (isSettled(row)) return row;
      const begun = stateOf(tx).begun.get(id);
      if (begun !== undefined) return begun;
      const [session] = readBefore(tx, `session ${id}`, () => held.read([id]));
      return session === undefined ? row : judged(session);
    },

    readByProviderSid(tx, provider, sid) {
      const sessions = readBefore(tx, `sid ${provider} ${sid}`, () => held.ofProviderSid(provider, sid));
      return active(remember(tx, sessions));
    },

    childrenAt(tx, parentId, audience) {
      // Redis has not heard of it; and whoever asked for what has a new name in every run would never be done.
      if (stateOf(tx).begun.has(parentId)) return [];
      const children = readBefore(tx, `children ${parentId}`, () => held.childrenOf(parentId));
      const there = active(remember(tx, children)).filter((child) => child.audience.includes(audience));
      return [...new Set([...durable.childrenAt(tx, parentId, audience), ...there.map(({ id }) => id)])];
    },

    insert(tx, session, credential) {
      if (session.kind !== 'user') return durable.insert(tx, session, credential);
      held.requireConnection();
      // What begins in the same millisecond as an "everywhere", and after it, is not meant by it.
      const endedBefore = durable.findUser(tx, session.userId)?.endedBefore ?? -1;
      const begun = { ...session, createdAt: Math.max(session.createdAt, endedBefore + 1) };
      stateOf(tx).begun.set(begun.id, begun);
      completeAfterCommit(tx, () => held.insert(begun, credential.hash));
      return begun;
    },

    addCredential: (tx, credential) => durable.addCredential(tx, credential),

    activeTree(tx, id) {
      const rows = durable.tree(tx, id);
      const alive = rows.filter(({ status }) => status === 'active').map((row) => row.id);
      if (rows.find((row) => row.id === id)?.kind === 'grant') return alive;
      const known = new Set(rows.map((row) => row.id));
      if (stateOf(tx).begun.has(id)) return [id];
      const there = below(tx, id, rows).map((session) => session.id);
      return [...alive, ...there.filter((each) => !known.has(each))];
    },

    activeOfUser(tx, userId, kinds, before) {
      const rows = durable.activeOfUser(tx, userId, kinds, before);
      if (!kinds.includes('user')) return rows;
      const there = heldOfUser(tx, userId)
        .filter(({ createdAt }) => createdAt <= (before ?? Infinity))
        .map(({ id }) => id);
      const known = durable.knownAmong(tx, there);
      return [...rows, ...there.filter((id) => !known.has(id))];
    },

    knowsAll: (tx) => !stateOf(tx).isPartial,

    revoke(tx, ids, { at, reason }) {
      const revoked = durable.revoke(tx, ids, { at, reason });
      const rows = revoked.length === ids.length ? new Set(ids) : durable.knownAmong(tx, ids);
      const there = heldAmong(
        tx,
        ids.filter((id) => !rows.has(id)),
      );
      const buried = standing.bury(
        tx,
        there.map((session) => ({ ...session, status: 'revoked', revokedAt: at, revokeReason: reason })),
      );
      const ended = [...revoked, ...buried];
      takeFromRedis(
        tx,
        ended.filter(({ kind }) => kind === 'user').map(({ id }) => id),
      );
      return ended;
    },

    setEndedBefore(tx, userId, at, except) {
      const { seen, begun } = stateOf(tx);
      const session = except === undefined ? undefined : (begun.get(except) ?? seen.get(except));
      // One that has ended since its request was let in outlives nothing.
      const isStanding = session !== undefined && judged(session)?.status === 'active';
      durable.setEndedBefore(tx, userId, at, isStanding ? except : undefined);
    },

    endGroup: (tx, group) => standing.endGroup(tx, group),

    touch(tx, lastSeen) {
      const rows = durable.knownAmong(tx, [...lastSeen.keys()]);
      const [here, there] = [new Map<SessionId, number>(), new Map<SessionId, number>()];
      for (const [id, at] of lastSeen) {
        // One that is on its way to Redis is used there, whatever row it has.
        const isHere = isDurable({ kind: rows.get(id) ?? 'user' });
        (isHere ? here : there).set(id, at);
      }
      if (here.size > 0) durable.touch(tx, here);
      if (there.size > 0) completeAfterCommit(tx, () => held.touch(there));
      // Renewed as long as sessions are used: what Redis loses is known by the difference.
      deps.countHeld();
    },

    knownTree(id) {
      const root = memory.find(id);
      const known = durable.knownTree(id);
      const ofUser = root === undefined ? [] : memory.ofUser(root.userId);
      const there = ofUser.filter((each) => each.id === id || each.parentId === id);
      return [...new Set([...known, ...there.map((each) => each.id)])];
    },

    knownOfUser(userId, kinds) {
      const there = memory.ofUser(userId).filter(({ kind }) => kinds.includes(kind));
      return [...new Set([...durable.knownOfUser(userId, kinds), ...there.map(({ id }) => id)])];
    },
  };
}

function foundBy(hash: TokenHash, session: Session, standing: StandingStore): FoundCredential | undefined {
  const found = standing.of(session);
  if (found === undefined) return undefined;
  const { id, kind, userId, parentId, audience, createdAt, lastSeenAt, idleTimeoutMs, expiresAt, clientId } =
    session;
  const status = found.ended === undefined ? 'active' : 'revoked';
  return {
    credential: { hash, sessionId: id, use: 'cookie', expiresAt: undefined, supersededAt: undefined },
    session: {
      id,
      kind,
      userId,
      parentId,
      audience,
      status,
      createdAt,
      lastSeenAt,
      idleTimeoutMs,
      expiresAt,
      clientId,
    },
    user: found.user,
  };
}
