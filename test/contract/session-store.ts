import { describe, expect, test } from 'bun:test';
import { hostAudience, originAudience } from '../../src/sessions/audience.ts';
import type {
  Credential,
  CredentialReader,
  FoundCredential,
  Session,
  SessionId,
  TokenHash,
} from '../../src/sessions/model.ts';
import type { NewPair } from '../../src/sessions/store-grants.ts';
import type { UserId } from '../../src/users/model.ts';

/** A store that holds sessions, as every implementation shows itself to this suite. Each act is one transaction. */
export interface SessionStoreUnderTest extends AsyncDisposable {
  readonly credentials: CredentialReader;
  addUser(): Promise<UserId>;
  insert(session: Session, credential: Credential): Promise<void>;
  find(id: SessionId): Promise<Session | undefined>;
  /** Sessions that nobody revoked, newest use first. */
  listActive(userId: UserId): Promise<Session[]>;
  findByProviderSid(provider: string, sid: string): Promise<Session[]>;
  activeTree(id: SessionId): Promise<SessionId[]>;
  /** Resolves with what this call has revoked. */
  revoke(ids: readonly SessionId[], revocation: { at: number; reason: 'signed_out' }): Promise<Session[]>;
  addCredential(credential: Credential): Promise<void>;
  /** Takes a credential of a grant out of use and adds the pair that follows it, in one transaction. `false`: it was out of use. */
  rotate(from: TokenHash, at: number, pair: NewPair): Promise<boolean>;
  findCredential(hash: TokenHash): Promise<Pick<Credential, 'expiresAt' | 'supersededAt'> | undefined>;
  /** Deletes credentials that ran out while their session goes on. */
  reapCredentials(now: number): Promise<number>;
  touch(lastSeen: ReadonlyMap<SessionId, number>): Promise<void>;
  /** Lets go of what is over at `now`, which only moves forward. */
  reap(now: number): Promise<void>;
  /** Makes every use of the store fail, as when the disk or the network is away. */
  breakDown(): Promise<void>;
}

const START = Date.UTC(2030, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const REVOCATION = { at: START + HOUR, reason: 'signed_out' } as const;

let made = 0;

/** Some stores remember what was revoked by its credential, others let go of that. */
function expectNoUse(found: FoundCredential | undefined): void {
  expect(found?.session.status ?? 'revoked').toBe('revoked');
}

/** A session with its credential, by default a browser session of a day idle and a month at most. */
function newSession(
  userId: UserId,
  changes: Partial<Session> = {},
): { session: Session; credential: Credential } {
  const session: Session = {
    id: `ses_${++made}` as SessionId,
    kind: 'user',
    userId,
    parentId: undefined,
    audience: [originAudience('https://auth.home')],
    status: 'active',
    revokedAt: undefined,
    revokeReason: undefined,
    createdAt: START,
    lastSeenAt: START,
    idleTimeoutMs: DAY,
    expiresAt: START + 30 * DAY,
    origin: { provider: 'home', providerSid: `sid-${made}`, address: '192.0.2.1', userAgent: 'test' },
    label: undefined,
    clientId: undefined,
    scope: undefined,
    deviceId: undefined,
    clientPublicKey: undefined,
    ...changes,
  };
  const credential: Credential = {
    hash: `hash-${made}` as TokenHash,
    sessionId: session.id,
    use: 'cookie',
    expiresAt: undefined,
    supersededAt: undefined,
  };
  return { session, credential };
}

/** What every store of sessions keeps, so that the ledger can stand on any of them. */
export function describeSessionStore(name: string, open: () => Promise<SessionStoreUnderTest>): void {
  const begin = async () => {
    const store = await open();
    const userId = await store.addUser();
    const add = async (changes: Partial<Session> = {}) => {
      const one = newSession(userId, changes);
      await store.insert(one.session, one.credential);
      return one;
    };
    return { store, userId, add, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  };

  describe(`${name}, a store of sessions`, () => {
    test('gives back exactly what was put in, by hash and by id, with the person', async () => {
      await using t = await begin();
      const { session, credential } = await t.add({
        label: 'backup',
        clientId: 'personal',
        audience: [hostAudience('a.home'), hostAudience('b.home')],
      });
      const found = await t.store.credentials.findByHash(credential.hash, credential.use);
      expect(session).toMatchObject({ ...found?.session });
      expect(found).toMatchObject({ credential, user: { id: t.userId, status: 'active' } });
      expect(await t.store.find(session.id)).toEqual(session);
    });

    test('keeps apart what is absent and what is empty', async () => {
      await using t = await begin();
      const { session } = await t.add({
        idleTimeoutMs: undefined,
        expiresAt: undefined,
        origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
      });
      expect(await t.store.find(session.id)).toEqual(session);
    });

    test('answers absence with undefined, never with an error', async () => {
      await using t = await begin();
      expect(await t.store.credentials.findByHash('none' as TokenHash, 'cookie')).toBeUndefined();
      expect(await t.store.credentials.findByHash('' as TokenHash, 'cookie')).toBeUndefined();
      expect(await t.store.find('ses_none' as SessionId)).toBeUndefined();
      expect(await t.store.listActive('usr_none' as UserId)).toEqual([]);
      expect(await t.store.activeTree('ses_none' as SessionId)).toEqual([]);
    });

    test('answers an outage with an error of the class unavailable, never with absence', async () => {
      await using t = await begin();
      const { session, credential } = await t.add();
      await t.store.breakDown();
      const asked = [
        async () => t.store.credentials.findByHash(credential.hash, credential.use),
        () => t.store.find(session.id),
        () => t.store.listActive(t.userId),
      ];
      for (const ask of asked) {
        expect(await ask().catch((error: unknown) => error)).toMatchObject({ kind: 'unavailable' });
      }
    });

    test('revokes what is live, once, and for good', async () => {
      await using t = await begin();
      const [one, other] = [await t.add(), await t.add()];
      const revoked = await t.store.revoke([one.session.id], REVOCATION);
      expect(revoked).toEqual([
        { ...one.session, status: 'revoked', revokedAt: REVOCATION.at, revokeReason: 'signed_out' },
      ]);
      expect(await t.store.revoke([one.session.id], { ...REVOCATION, at: START + DAY })).toEqual([]);
      expectNoUse(await t.store.credentials.findByHash(one.credential.hash, 'cookie'));
      expect((await t.store.find(one.session.id))?.revokedAt).toBe(REVOCATION.at);
      expect((await t.store.listActive(t.userId)).map(({ id }) => id)).toEqual([other.session.id]);
    });

    test('revokes any number at once', async () => {
      await using t = await begin();
      const ids: SessionId[] = [];
      for (let each = 0; each < 300; each++) ids.push((await t.add()).session.id);
      const more = Array.from({ length: 40_000 }, (_, index) => `ses_none_${index}` as SessionId);
      expect(await t.store.revoke([...ids, ...more], REVOCATION)).toHaveLength(300);
    });

    test('knows the live descendants of a session, also behind one that is over', async () => {
      await using t = await begin();
      const root = await t.add();
      const child = await t.add({ parentId: root.session.id });
      const grandchild = await t.add({ parentId: child.session.id });
      await t.add();
      await t.store.revoke([child.session.id], REVOCATION);
      expect(new Set(await t.store.activeTree(root.session.id))).toEqual(
        new Set([root.session.id, grandchild.session.id]),
      );
    });

    test('moves last uses forward, never back, and brings nothing to life', async () => {
      await using t = await begin();
      const [one, gone] = [await t.add(), await t.add()];
      await t.store.revoke([gone.session.id], REVOCATION);
      const at = (ms: number) =>
        t.store.touch(
          new Map([
            [one.session.id, ms],
            [gone.session.id, ms],
            ['ses_none' as SessionId, ms],
          ]),
        );
      await at(START + HOUR);
      await at(START + 1);
      expect(await t.store.find(one.session.id)).toMatchObject({ lastSeenAt: START + HOUR });
      expect(await t.store.find(gone.session.id)).toMatchObject({ status: 'revoked' });
      expect(await t.store.find('ses_none' as SessionId)).toBeUndefined();
    });

    test('lists the sessions of one person by their last use', async () => {
      await using t = await begin();
      const [first, second] = [await t.add(), await t.add()];
      await t.store.touch(
        new Map([
          [first.session.id, START + 2],
          [second.session.id, START + 1],
        ]),
      );
      const stranger = newSession(await t.store.addUser());
      await t.store.insert(stranger.session, stranger.credential);
      expect((await t.store.listActive(t.userId)).map(({ id }) => id)).toEqual([
        first.session.id,
        second.session.id,
      ]);
    });

    test('finds live sessions by the session at their provider, and by that provider alone', async () => {
      await using t = await begin();
      const { session } = await t.add();
      const sid = session.origin.providerSid ?? '';
      expect((await t.store.findByProviderSid('home', sid)).map(({ id }) => id)).toEqual([session.id]);
      expect(await t.store.findByProviderSid('other', sid)).toEqual([]);
      await t.store.revoke([session.id], REVOCATION);
      expect(await t.store.findByProviderSid('home', sid)).toEqual([]);
    });

    test('lets go of what is over, with its credentials, and of nothing else', async () => {
      await using t = await begin();
      const idle = await t.add();
      const used = await t.add();
      const endless = await t.add({ idleTimeoutMs: undefined, expiresAt: undefined });
      const revoked = await t.add();
      await t.store.revoke([revoked.session.id], REVOCATION);
      await t.store.touch(new Map([[used.session.id, START + HOUR]]));
      const all = [idle, used, endless, revoked];
      const left = async () => {
        const found = await Promise.all(all.map(({ session }) => t.store.find(session.id)));
        return all.filter((_, index) => found[index] !== undefined);
      };
      await t.store.reap(START + DAY - HOUR);
      expect(await left()).toEqual(all);
      await t.store.reap(START + DAY);
      expect(await t.store.credentials.findByHash(idle.credential.hash, 'cookie')).toBeUndefined();
      // A revoked session is shown until it would have been over anyway.
      expect(await left()).toEqual([used, endless, revoked]);
      expect(await t.store.credentials.findByHash(used.credential.hash, 'cookie')).toBeDefined();
      await t.store.reap(START + 30 * DAY);
      expect(await left()).toEqual([endless]);
    });

    describe('with the credentials of a grant', () => {
      const GRANT = { kind: 'grant', clientId: 'client', scope: 'mcp:files', label: 'Client' } as const;
      const hash = (text: string) => `${text}-${made}` as TokenHash;
      const pairOf = (round: number, expiresAt = START + HOUR): NewPair => ({
        access: { hash: hash(`access-${round}`), expiresAt },
        refresh: { hash: hash(`refresh-${round}`) },
      });

      test('a second one leads to the same session', async () => {
        await using t = await begin();
        const { session } = await t.add(GRANT);
        const access: Credential = {
          hash: hash('access'),
          sessionId: session.id,
          use: 'access',
          expiresAt: START + HOUR,
          supersededAt: undefined,
        };
        await t.store.addCredential(access);
        const found = await t.store.credentials.findByHash(access.hash, 'access');
        expect(found).toMatchObject({ credential: access, session: { id: session.id, clientId: 'client' } });
        expect((await t.store.find(session.id))?.scope).toBe('mcp:files');
      });

      test('one is followed by a pair, once, and the session stays as it is', async () => {
        await using t = await begin();
        const { session, credential } = await t.add(GRANT);
        const pair = pairOf(1);
        expect(await t.store.rotate(credential.hash, START + 1, pair)).toBe(true);
        expect(await t.store.rotate(credential.hash, START + 2, pairOf(2))).toBe(false);
        expect(await t.store.findCredential(credential.hash)).toEqual({
          expiresAt: undefined,
          supersededAt: START + 1,
        });
        expect(await t.store.findCredential(pair.access.hash)).toEqual({
          expiresAt: START + HOUR,
          supersededAt: undefined,
        });
        expect(await t.store.findCredential(pairOf(2).refresh.hash)).toBeUndefined();
        for (const [each, use] of [
          [pair.access, 'access'],
          [pair.refresh, 'refresh'],
        ] as const) {
          expect(await t.store.credentials.findByHash(each.hash, use)).toMatchObject({
            credential: { use, sessionId: session.id },
          });
        }
        expect(await t.store.find(session.id)).toEqual(session);
      });

      test('what follows one of a session that is revoked is no good either', async () => {
        await using t = await begin();
        const { session, credential } = await t.add(GRANT);
        await t.store.rotate(credential.hash, START, pairOf(1));
        await t.store.revoke([session.id], REVOCATION);
        expect(await t.store.credentials.findByHash(pairOf(1).access.hash, 'access')).toMatchObject({
          session: { status: 'revoked' },
        });
      });

      test('those that ran out go, and the others stay with their session', async () => {
        await using t = await begin();
        const { credential } = await t.add(GRANT);
        await t.store.rotate(credential.hash, START, pairOf(1));
        await t.store.rotate(pairOf(1).refresh.hash, START, pairOf(2, START + 2 * HOUR));
        expect(await t.store.reapCredentials(START + HOUR - 1)).toBe(0);
        expect(await t.store.reapCredentials(START + HOUR)).toBe(1);
        expect(await t.store.findCredential(pairOf(1).access.hash)).toBeUndefined();
        for (const kept of [credential.hash, pairOf(1).refresh.hash, pairOf(2).access.hash]) {
          expect(await t.store.findCredential(kept)).toBeDefined();
        }
      });
    });

    test('refuses a second credential of the same hash, and a session that is there', async () => {
      await using t = await begin();
      const { session, credential } = await t.add();
      const again = newSession(t.userId);
      for (const [one, other] of [
        [session, again.credential],
        [again.session, { ...credential, sessionId: again.session.id }],
      ] as const) {
        expect(await t.store.insert(one, other).catch((error: unknown) => error)).toMatchObject({
          kind: 'conflict',
        });
      }
      expect(await t.store.find(again.session.id)).toBeUndefined();
    });
  });
}
