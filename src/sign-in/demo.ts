import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { randomBytes } from '../lib/random.ts';
import type { UserId } from '../users/model.ts';
import type { OpenPeople } from '../users/open-people.ts';
import type { PasswordHasher } from '../users/password-hash.ts';

export interface DemoDeps {
  db: Db;
  clock: Clock;
  people: OpenPeople;
  hasher: PasswordHasher;
}

export interface DemoUser {
  id: UserId;
  username: string;
  /** Told once: only its hash is kept. */
  password: string;
}

const USERNAME = 'demo';
/** 80 bits, which make 16 letters. */
const PASSWORD_BYTES = 10;

/**
 * Adds the demo user, as the owner where nobody was before. `undefined` when there was one once, so that a removed demo
 * user does not come back at the next start.
 */
export async function addDemoUser(deps: DemoDeps): Promise<DemoUser | undefined> {
  const { db, clock, people, hasher } = deps;
  const { store, passwords, acts } = people;
  if (store.isUsernameUsed(USERNAME)) return undefined;
  const password = newPassword();
  const hash = await hasher.hash(password);
  const id = await db.write((tx) => {
    const role = store.hasEverHadUsers() ? 'member' : 'owner';
    const user = acts.createLocal(tx, { username: USERNAME, displayName: 'Demo', role, by: {} });
    passwords.set(tx, user.id, hash, clock.now());
    return user.id;
  });
  return { id, username: USERNAME, password };
}

/** In groups of four, to be read and typed. */
function newPassword(): string {
  const letters = encodeBase32LowerCaseNoPadding(randomBytes(PASSWORD_BYTES));
  return (letters.match(/.{4}/g) ?? [letters]).join('-');
}
