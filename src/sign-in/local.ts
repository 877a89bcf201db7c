import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { User } from '../users/model.ts';
import { USERNAME_MAX_LENGTH } from '../users/name.ts';
import type { PasswordHasher } from '../users/password-hash.ts';
import type { UserStore } from '../users/store.ts';
import type { PasswordStore } from '../users/store-passwords.ts';
import type { AttemptAllowance, LocalLimits } from './local-limits.ts';
import type { LocalSignIn, OpenLocalSession, Visitor } from './local-session.ts';

export interface LocalSignInDeps {
  db: Db;
  clock: Clock;
  store: UserStore;
  passwords: PasswordStore;
  hasher: PasswordHasher;
  limits: LocalLimits;
  openSession: OpenLocalSession;
  audit: AuditRecorder;
  /** Told of every attempt, for the metrics. */
  onOutcome: (outcome: 'success' | 'refused' | 'rate_limited') => void;
}

/** Longest name that is looked up, in characters: an address is longer than a username. */
const NAME_MAX_LENGTH = Math.max(USERNAME_MAX_LENGTH, 254);

/**
 * Signs in with a name (or an address) and a password. A wrong password, an unknown name, somebody without a password
 * and somebody disabled get the same answer after the same work.
 * @throws AppError `unauthorized` (`wrong_credentials`), `too_many_requests` (`too_many_attempts`), `unavailable`.
 */
export function localSignIn(deps: LocalSignInDeps) {
  const { db, clock, store, passwords, hasher, limits, openSession, audit, onOutcome } = deps;

  const find = (name: string): User | undefined => {
    if (name.length > NAME_MAX_LENGTH) return undefined;
    return name.includes('@') ? store.findByEmail(name) : store.findByUsername(name);
  };

  const note = (
    action: 'sign_in' | 'sign_in.rate_limited',
    reason: string,
    user: User | undefined,
    from: Visitor,
  ) =>
    audit.note({
      at: clock.now(),
      action,
      outcome: 'refused',
      subjectUserId: user?.id,
      address: from.address,
      userAgent: from.userAgent,
      detail: { method: 'local', reason },
    });

  const begin = async (
    name: string,
    user: User | undefined,
    visitor: Visitor,
  ): Promise<AttemptAllowance & { ok: true }> => {
    const account = user === undefined ? { name } : { userId: user.id };
    const allowance = await limits.begin({ address: visitor.address, browser: visitor.browser, account });
    if (allowance.ok) return allowance;
    onOutcome('rate_limited');
    if (allowance.isNews) note('sign_in.rate_limited', allowance.limit, user, visitor);
    throw tooManyAttempts(allowance.retryAfterSeconds);
  };

  /** Hashing took its time: whatever changed of the person meanwhile counts. */
  const isUnchanged = (before: User, hash: string): boolean => {
    const now = store.find(before.id);
    return (
      now?.status === 'active' &&
      now.endedBefore === before.endedBefore &&
      passwords.find(before.id)?.hash === hash
    );
  };

  return async (name: string, password: string, visitor: Visitor): Promise<LocalSignIn> => {
    const user = find(name);
    const attempt = await begin(name, user, visitor);
    const hash = user === undefined ? undefined : passwords.find(user.id)?.hash;
    const fits = await hasher
      .verify(password, hash, attempt.isKnown ? 'known' : 'stranger')
      .catch((error: unknown) => {
        attempt.giveBack();
        throw error;
      });
    const signedIn =
      fits && user !== undefined && hash !== undefined
        ? await db.write((tx: Tx) =>
            isUnchanged(user, hash) ? openSession(tx, user, visitor, 'password') : undefined,
          )
        : undefined;
    if (signedIn === undefined) {
      onOutcome('refused');
      note('sign_in', 'wrong_credentials', user, visitor);
      throw wrongCredentials();
    }
    attempt.giveBack();
    onOutcome('success');
    return signedIn;
  };
}

const wrongCredentials = () =>
  new AppError('unauthorized', 'wrong_credentials', 'The name or the password is not right.');

export function tooManyAttempts(retryAfterSeconds: number): AppError {
  const minutes = Math.ceil(retryAfterSeconds / 60);
  const wait = minutes === 1 ? 'a minute' : `${minutes} minutes`;
  const message = `There were too many attempts. Try again in ${wait}, or use a browser that has signed in here before.`;
  return new AppError('too_many_requests', 'too_many_attempts', message, { retryAfterSeconds });
}
