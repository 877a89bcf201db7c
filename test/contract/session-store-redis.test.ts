import { afterAll, beforeAll } from 'bun:test';
import { grantStore } from '../../src/sessions/store-grants.ts';
import { reapingStore } from '../../src/sessions/store-reaping.ts';
import { type RedisServerOptions, startRedis, type TestRedis } from '../support/redis-server.ts';
import { ageKeys, sharedStore } from '../support/shared-store.ts';
import { describeSessionStore } from './session-store.ts';

const LIMIT = 1_000;

const SERVERS: readonly (readonly [name: string, options: RedisServerOptions])[] = [
  ['Redis', {}],
  ['Redis with a password', { password: 'a long password of a test' }],
  ['Redis over TLS', { tls: true, password: 'another password' }],
];

for (const [name, options] of SERVERS) {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis(options);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describeSessionStore(name, async () => {
    const t = await sharedStore(server);
    const { db, store } = t;
    const grants = grantStore(db);
    const reaping = reapingStore();
    let agedTo = t.clock.now();
    return {
      credentials: store,
      addUser: () => t.addUser(),
      insert: (session, credential) => db.write((tx) => void store.insert(tx, session, credential)),
      find: async (id) => store.find(id),
      listActive: async (userId) => store.listActive(userId),
      findByProviderSid: async (provider, sid) => store.findByProviderSid(provider, sid),
      activeTree: (id) => db.write((tx) => store.activeTree(tx, id)),
      revoke: (ids, revocation) => db.write((tx) => store.revoke(tx, ids, revocation)),
      addCredential: (credential) => db.write((tx) => store.addCredential(tx, credential)),
      rotate: (from, at, pair) =>
        db.write((tx) => {
          if (!grants.supersede(tx, from, at)) return false;
          grants.addPair(tx, from, pair);
          return true;
        }),
      findCredential: async (hash) => grants.find(hash),
      reapCredentials: (now) => db.write((tx) => grants.deleteExpired(tx, now, LIMIT)),
      touch: (lastSeen) => db.write((tx) => store.touch(tx, lastSeen)),
      async reap(now) {
        await ageKeys(server, now - agedTo);
        agedTo = now;
        await db.write((tx) => {
          reaping.postponeKept(tx, now, LIMIT);
          reaping.deleteExpired(tx, now, LIMIT);
        });
      },
      async breakDown() {
        t.redis.commands.disconnect();
      },
      [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
    };
  });
}
