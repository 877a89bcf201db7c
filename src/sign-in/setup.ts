import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newSecret } from '../lib/random.ts';
import type { Actor } from '../users/model.ts';
import type { UserStore } from '../users/store.ts';
import type { CreateAccount, TypedAccount } from './local-accounts.ts';
import type { LocalSignIn, Visitor } from './local-session.ts';
import { hashSecret, readSecret } from './single-use-secret.ts';
import type { SetupStore } from './store-setup.ts';

export interface SetupDeps {
  db: Db;
  clock: Clock;
  store: UserStore;
  setups: SetupStore;
  audit: AuditRecorder;
  /** See `localAccounts`. */
  createAccount: CreateAccount;
  /** The origin of `url`. */
  origin: string;
  lifetimeMs: number;
}

export type Setup = ReturnType<typeof setup>;

/** How the first owner comes in. All of it is over once anybody has ever been a user, even if nobody is one now. */
export function setup({ db, clock, store, setups, audit, createAccount, origin, lifetimeMs }: SetupDeps) {
  const isOpen = (): boolean => !store.hasEverHadUsers();

  const requireOpen = (): void => {
    if (!isOpen()) throw new AppError('not_found', 'not_found', 'There is nothing here.');
  };

  /** Holds that what was typed is the link that stands. */
  const requireSecret = (typed: string | undefined): void => {
    requireOpen();
    const secret = readSecret(typed);
    const current = setups.find();
    const isGood =
      secret !== undefined &&
      current !== undefined &&
      hashSecret(secret) === current.hash &&
      clock.now() < current.expiresAt;
    if (!isGood) throw linkNotGood('A restart of Postern makes a new one.');
  };

  /** Uses the link up, in the transaction that makes the owner. */
  const finish = (tx: Tx, by: Actor, method: string): void => {
    setups.clear(tx);
    audit.record(tx, {
      at: clock.now(),
      action: 'setup.completed',
      outcome: 'success',
      subjectUserId: by.userId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { method },
    });
  };

  return {
    isOpen,
    requireOpen,
    requireSecret,
    finish,

    /**
     * Makes the link of this start, in the place of any other; `undefined` once anybody has ever been a user, and where another
     * process has made one in the `sparingMs` before: of several that start together, one tells people.
     */
    async makeLink({ sparingMs = 0 } = {}): Promise<string | undefined> {
      const secret = newSecret();
      const isMade = await db.write((tx) => {
        const madeAt = (setups.find()?.expiresAt ?? 0) - lifetimeMs;
        if (!isOpen() || clock.now() - madeAt < sparingMs) return false;
        setups.replace(tx, { hash: hashSecret(secret), expiresAt: clock.now() + lifetimeMs });
        return true;
      });
      return isMade ? `${origin}/setup#${secret}` : undefined;
    },

    /**
     * Makes the first owner, with a password; of two at once, one.
     * @throws AppError `not_found` once there was a user, `gone` (`link_not_good`), and as `localAccounts` does.
     */
    async complete(typed: string | undefined, account: TypedAccount, visitor: Visitor): Promise<LocalSignIn> {
      requireSecret(typed);
      return createAccount({
        account,
        role: 'owner',
        how: 'setup',
        visitor,
        claim: () => requireSecret(typed),
        claimed: (tx, user) => finish(tx, { userId: user.id, ...visitor }, 'local'),
      });
    },
  };
}

/** Unknown, used, voided and run out look alike. */
export const linkNotGood = (mend = 'Ask for a new one.') =>
  new AppError('gone', 'link_not_good', `This link is not good, or not any more. ${mend}`);
