import { sql } from 'drizzle-orm';
import { sessionStore } from '../../src/sessions/store.ts';
import { grantStore } from '../../src/sessions/store-grants.ts';
import { reapingStore } from '../../src/sessions/store-reaping.ts';
import { temporaryLedger } from '../support/ledger.ts';
import { describeSessionStore } from './session-store.ts';

const LIMIT = 1_000;

describeSessionStore('SQLite', async () => {
  const t = temporaryLedger();
  const store = sessionStore(t.db);
  const grants = grantStore(t.db);
  const reaping = reapingStore();
  return {
    credentials: store,
    addUser: () => t.addUser(),
    insert: (session, credential) => t.db.write((tx) => void store.insert(tx, session, credential)),
    find: async (id) => store.find(id),
    listActive: async (userId) => store.listActive(userId),
    findByProviderSid: async (provider, sid) => store.findByProviderSid(provider, sid),
    activeTree: (id) => t.db.write((tx) => store.activeTree(tx, id)),
    revoke: (ids, revocation) => t.db.write((tx) => store.revoke(tx, ids, revocation)),
    addCredential: (credential) => t.db.write((tx) => store.addCredential(tx, credential)),
    rotate: (from, at, pair) =>
      t.db.write((tx) => {
        if (!grants.supersede(tx, from, at)) return false;
        grants.addPair(tx, from, pair);
        return true;
      }),
    findCredential: async (hash) => grants.find(hash),
    reapCredentials: (now) => t.db.write((tx) => grants.deleteExpired(tx, now, LIMIT)),
    touch: (lastSeen) => t.db.write((tx) => store.touch(tx, lastSeen)),
    reap: (now) =>
      t.db.write((tx) => {
        reaping.postponeKept(tx, now, LIMIT);
        reaping.deleteExpired(tx, now, LIMIT);
      }),
    async breakDown() {
      // Whoever reads a page of it from now on finds that it is none.
      await Bun.write(t.database.path, 'not a database '.repeat(10_000));
      t.db.reader.run(sql`PRAGMA shrink_memory`);
    },
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
});
