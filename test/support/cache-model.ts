import { expect } from 'bun:test';
import { type CachedCredential, type SessionCacheOptions, sessionCache } from '../../src/sessions/cache.ts';
import type { FoundCredential, SessionId, TokenHash } from '../../src/sessions/model.ts';
import type { User, UserId } from '../../src/users/model.ts';
import { aPerson } from './person.ts';

export const TTL_MS = 600;
export const UNKNOWN_TTL_MS = 5;
/** As often as the cache reads before it passes on what was spoiled every time. */
const MAX_READS = 4;
const OUTAGE = 'outage';

/** Whose credential each hash is; `later` exists only once it was created. */
const OWNERS = { a1: 'a', a2: 'a', b1: 'b', c1: 'c', later: 'd' } as const;
const USERS = { a: 'ada', b: 'ada', c: 'bob', d: 'bob' } as const;

const SESSIONS = ['a', 'b', 'c', 'd'] as const;
const HASHES = ['a1', 'a2', 'b1', 'c1', 'later'] as const;

export type Hash = keyof typeof OWNERS | 'nobody';
export type Sid = keyof typeof USERS;
export type Uid = (typeof USERS)[Sid];

export type Step =
  | { do: 'look up'; hash: Hash }
  /** `stale`: what the store held when the read began; otherwise what it holds now. */
  | { do: 'answer'; read: number; stale: boolean }
  | { do: 'fail'; read: number }
  | { do: 'revoke'; id: Sid }
  | { do: 'revoke all'; user: Uid }
  | { do: 'change'; id: Sid }
  | { do: 'change user'; user: Uid }
  | { do: 'create' }
  | { do: 'clear' }
  | { do: 'advance'; ms: number }
  /** Lets promises run; without it, the next step happens before anything that was answered got on. */
  | { do: 'settle' };

interface Read {
  hash: Hash;
  lookUp: LookUp;
  begun: FoundCredential | undefined;
  resolve: (found: FoundCredential | undefined) => void;
  reject: (error: Error) => void;
}

interface LookUp {
  hash: Hash;
  reads: number;
  /** The reading that the answer comes from: monotonic time, and step. */
  lastReadAt: number;
  lastReadTick: number;
}

/** Drives a cache over a store whose reads the test answers, and judges every answer by what the store went through. */
export class CacheModel {
  readonly #size: number;
  readonly #cache: ReturnType<typeof sessionCache>;
  readonly #reads: Read[] = [];
  readonly #lookUps = new Map<Hash, LookUp>();
  readonly #revoked = new Set<Sid>();
  /** The step in which these last changed: only an answer from a later reading knows of it. */
  readonly #forgottenAt = new Map<Sid | Uid, number>();
  #clearedAt = -1;
  #created = false;
  #tick = 0;
  /** When each reading began, by what it gave back: monotonic time and step. */
  readonly #readAt = new WeakMap<object, { at: number; tick: number }>();
  readonly #absentAt = new Map<Hash, { at: number; tick: number }>();
  #kept: Sid[] = [];
  #outages = 0;
  #waiting = 0;
  #now = 0;
  #failure: unknown;

  constructor(
    size: number,
    make: (options: SessionCacheOptions) => ReturnType<typeof sessionCache> = sessionCache,
  ) {
    this.#size = size;
    this.#cache = make({
      size,
      ttlMs: TTL_MS,
      unknownSize: 4,
      unknownTtlMs: UNKNOWN_TTL_MS,
      clock: { monotonicNow: () => this.#now },
    });
  }

  /** How many reads the store has not answered. */
  get reads(): number {
    return this.#reads.length;
  }

  async run(step: Step): Promise<void> {
    this.#tick++;
    await this.#do(step);
    if (this.#failure !== undefined) throw this.#failure;
    this.#checkBounds();
  }

  /** Answers everything that is still open, and sees that nothing is left behind. */
  async finish(): Promise<void> {
    for (let rounds = 0; this.#reads.length > 0; rounds++) {
      expect(rounds).toBeLessThan(100);
      await this.run({ do: 'answer', read: 0, stale: false });
      await this.run({ do: 'settle' });
    }
    await settled();
    expect(this.#waiting).toBe(0);
    expect(this.#cache.marks).toBe(0);
    for (const id of this.#revoked) {
      for (const hash of hashesOf(id)) await this.#seeRevoked(hash);
    }
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'look up':
        return this.#lookUp(step.hash);
      case 'answer':
        return this.#answer(step.read, step.stale);
      case 'fail':
        return this.#fail(step.read);
      case 'revoke':
        return this.#revoke(step.id);
      case 'revoke all':
        for (const id of sessionsOf(step.user)) this.#revoke(id);
        return;
      case 'change':
        this.#forgottenAt.set(step.id, this.#tick);
        this.#cache.evict(idOf(step.id));
        this.#drop((each) => each === step.id);
        return;
      case 'change user':
        this.#forgottenAt.set(step.user, this.#tick);
        this.#cache.evictUser(userIdOf(step.user));
        this.#drop((each) => USERS[each] === step.user);
        return;
      case 'create':
        this.#created = true;
        return;
      case 'clear':
        this.#clearedAt = this.#tick;
        this.#cache.clear();
        this.#drop(() => true);
        return;
      case 'advance':
        this.#now += step.ms;
        return;
      case 'settle':
        return settled();
    }
  }

  #revoke(id: Sid): void {
    this.#revoked.add(id);
    this.#cache.revoke(idOf(id));
  }

  #lookUp(hash: Hash): void {
    const known = this.#cache.get(hashOf(hash));
    if (known !== undefined) {
      this.#use(known.entry.session.id);
      this.#judge(hash, known, undefined);
      return;
    }
    if (this.#cache.isUnknown(hashOf(hash))) {
      this.#judgeUnknown(hash);
      return;
    }
    const lookUp: LookUp = { hash, reads: 0, lastReadAt: 0, lastReadTick: 0 };
    const outagesBefore = this.#outages;
    const answered = this.#cache.load(
      hashOf(hash),
      () => this.#read(lookUp),
      (found) => this.#landed(this.#lookUps.get(hash) ?? lookUp, found),
    );
    this.#waiting++;
    void Promise.resolve(answered).then(
      () => this.#waiting--,
      (error: unknown) => {
        this.#waiting--;
        const isOutage = error instanceof Error && error.message === OUTAGE;
        if (!isOutage || this.#outages === outagesBefore) this.#failure ??= error;
      },
    );
  }

  #read(lookUp: LookUp): Promise<FoundCredential | undefined> {
    // Concurrent misses share one read.
    expect(this.#reads.filter(({ hash }) => hash === lookUp.hash)).toEqual([]);
    this.#lookUps.set(lookUp.hash, lookUp);
    lookUp.reads++;
    lookUp.lastReadAt = this.#now;
    lookUp.lastReadTick = this.#tick;
    const begun = this.#stored(lookUp.hash, lookUp.lastReadAt, lookUp.lastReadTick);
    return new Promise((resolve, reject) => {
      this.#reads.push({ hash: lookUp.hash, lookUp, begun, resolve, reject });
    });
  }

  #answer(index: number, stale: boolean): void {
    const [read] = this.#reads.splice(index % Math.max(1, this.#reads.length), 1);
    if (read === undefined) return;
    const { hash, lookUp, begun } = read;
    read.resolve(stale ? begun : this.#stored(hash, lookUp.lastReadAt, lookUp.lastReadTick));
  }

  #fail(index: number): void {
    const [read] = this.#reads.splice(index % Math.max(1, this.#reads.length), 1);
    if (read === undefined) return;
    this.#outages++;
    read.reject(new Error(OUTAGE));
  }

  /** Called by the cache in the step in which the look-up settled. */
  #landed(lookUp: LookUp, found: CachedCredential | undefined): void {
    const { hash } = lookUp;
    if (found === undefined) {
      this.#absentAt.set(hash, { at: this.#now, tick: lookUp.lastReadTick });
      expect(hash === 'nobody' || hash === 'later').toBe(true);
      return;
    }
    const id = nameOf(found.entry.session.id);
    if (this.#cache.peek(idOf(id)) === found.entry) {
      if (!this.#kept.includes(id) && this.#kept.length === this.#size) this.#kept.shift();
      this.#use(found.entry.session.id);
    }
    this.#judge(hash, found, lookUp);
  }

  #judge(hash: Hash, found: CachedCredential, lookUp: LookUp | undefined): void {
    const id = nameOf(found.entry.session.id);
    expect(hash === 'nobody' ? undefined : OWNERS[hash]).toBe(id);
    expect(found.credential.hash as string).toBe(hash);
    // What is revoked never lives, and what is not is never said to be.
    expect(found.entry.revoked).toBe(this.#revoked.has(id));
    if (found.entry.revoked) return;
    for (const part of [found.entry.session, found.credential]) this.#checkAge(part, id, lookUp);
  }

  /** Nothing is believed longer than its time, nor after it was to be forgotten. */
  #checkAge(part: object, id: Sid, lookUp: LookUp | undefined): void {
    const read = this.#readAt.get(part) ?? { at: -Infinity, tick: -1 };
    if (lookUp === undefined) expect(this.#now - read.at).toBeLessThan(TTL_MS);
    if (lookUp !== undefined && lookUp.reads >= MAX_READS) return;
    const forgotten = [id, USERS[id]].map((name) => this.#forgottenAt.get(name) ?? -1);
    expect(read.tick).toBeGreaterThanOrEqual(Math.max(this.#clearedAt, ...forgotten));
  }

  #judgeUnknown(hash: Hash): void {
    const absent = this.#absentAt.get(hash) ?? { at: -Infinity, tick: -1 };
    expect(this.#now - absent.at).toBeLessThan(UNKNOWN_TTL_MS);
    expect(absent.tick).toBeGreaterThanOrEqual(this.#clearedAt);
  }

  #checkBounds(): void {
    expect(this.#cache.size).toBeLessThanOrEqual(this.#size);
    const present = (Object.keys(USERS) as Sid[]).filter((id) => this.#cache.peek(idOf(id)) !== undefined);
    expect(present).toEqual(this.#kept.toSorted());
    for (const user of ['ada', 'bob'] as const) {
      const ofUser = this.#cache.ofUser(userIdOf(user)).map(nameOf);
      expect(ofUser.toSorted()).toEqual(present.filter((id) => USERS[id] === user));
    }
  }

  #use(sessionId: SessionId): void {
    const id = nameOf(sessionId);
    this.#kept = [...this.#kept.filter((each) => each !== id), id];
  }

  /** Revoked entries stay. */
  #drop(which: (id: Sid) => boolean): void {
    this.#kept = this.#kept.filter((id) => this.#revoked.has(id) || !which(id));
  }

  async #seeRevoked(hash: Hash): Promise<void> {
    const known = this.#cache.get(hashOf(hash));
    if (known !== undefined) return this.#judge(hash, known, undefined);
    if (this.#cache.isUnknown(hashOf(hash))) return;
    const lookUp: LookUp = { hash, reads: 0, lastReadAt: 0, lastReadTick: 0 };
    await this.#cache.load(
      hashOf(hash),
      () => this.#stored(hash, this.#now, this.#tick),
      (found) => this.#landed(lookUp, found),
    );
  }

  #stored(hash: Hash, at: number, tick: number): FoundCredential | undefined {
    if (hash === 'nobody' || (hash === 'later' && !this.#created)) return undefined;
    const id = OWNERS[hash];
    const found = foundCredential(hash, id, this.#revoked.has(id));
    this.#readAt.set(found.session, { at, tick });
    this.#readAt.set(found.credential, { at, tick });
    return found;
  }
}

const idOf = (id: Sid): SessionId => `ses_${id}` as SessionId;
const nameOf = (id: SessionId): Sid => id.slice('ses_'.length) as Sid;
const userIdOf = (user: Uid): UserId => `usr_${user}` as UserId;
const hashOf = (hash: string): TokenHash => hash as TokenHash;
const sessionsOf = (user: Uid) => SESSIONS.filter((id) => USERS[id] === user);
const hashesOf = (id: Sid) => HASHES.filter((hash) => OWNERS[hash] === id);

/** Enough turns for whatever was answered to get on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

function foundCredential(hash: Hash, id: Sid, revoked: boolean): FoundCredential {
  return {
    credential: {
      hash: hashOf(hash),
      sessionId: idOf(id),
      use: 'cookie',
      expiresAt: undefined,
      supersededAt: undefined,
    },
    session: {
      id: idOf(id),
      kind: 'user',
      userId: userIdOf(USERS[id]),
      parentId: undefined,
      audience: [],
      status: revoked ? 'revoked' : 'active',
      createdAt: 0,
      lastSeenAt: 0,
      idleTimeoutMs: undefined,
      expiresAt: undefined,
      clientId: undefined,
    },
    user: PEOPLE[USERS[id]],
  };
}

const person = (user: Uid): User => aPerson({ id: userIdOf(user), username: user, displayName: user });

const PEOPLE: Record<Uid, User> = { ada: person('ada'), bob: person('bob') };
