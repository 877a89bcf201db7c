import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { User, UserRole } from '../users/model.ts';
import type { PasswordHasher } from '../users/password-hash.ts';
import { requireGoodPassword } from '../users/password-rules.ts';
import type { People } from '../users/people.ts';
import type { UserStore } from '../users/store.ts';
import type { PasswordStore } from '../users/store-passwords.ts';
import { requireFreeUsername } from '../users/usernames.ts';
import type { LocalSignIn, OpenLocalSession, Visitor } from './local-session.ts';

/** What somebody types to become a user with a password. */
export interface TypedAccount {
  username: string;
  displayName: string | undefined;
  password: string;
}

export interface NewAccount {
  account: TypedAccount;
  role: UserRole;
  how: 'setup' | 'invitation';
  visitor: Visitor;
  /** Begins the transaction: throws when what lets the person in is no longer good. */
  claim: (tx: Tx) => void;
  /** Ends the transaction: uses up what let the person in. */
  claimed: (tx: Tx, user: User) => void;
}

export interface LocalAccountsDeps {
  db: Db;
  clock: Clock;
  store: UserStore;
  people: People;
  passwords: PasswordStore;
  hasher: PasswordHasher;
  openSession: OpenLocalSession;
  /** The host of `url`. */
  host: string;
}

export type CreateAccount = ReturnType<typeof localAccounts>;

/**
 * Makes a user with a password and signs the browser in, in one transaction.
 * @throws AppError `unprocessable` (`bad_username`, `reserved_username`, `bad_password`), `conflict` (`username_taken`),
 * `unavailable`, and what `claim` throws.
 */
export function localAccounts(deps: LocalAccountsDeps) {
  const { db, clock, store, people, passwords, hasher, openSession, host } = deps;

  return async ({ account, role, how, visitor, claim, claimed }: NewAccount): Promise<LocalSignIn> => {
    const { username, displayName, password } = account;
    requireFreeUsername(store, username, { role, isOperator: false });
    requireGoodPassword(password, { host, username, displayName });
    const hash = await hasher.hash(password);
    return db.write((tx) => {
      claim(tx);
      const { address, userAgent } = visitor;
      const user = people.createLocal(tx, { username, displayName, role, by: { address, userAgent } });
      passwords.set(tx, user.id, hash, clock.now());
      claimed(tx, user);
      return openSession(tx, user, visitor, how);
    });
  };
}
