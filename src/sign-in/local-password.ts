import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Limiter } from '../lib/limiter.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { RecognisedSession, SessionId } from '../sessions/model.ts';
import type { User } from '../users/model.ts';
import type { PasswordHasher } from '../users/password-hash.ts';
import { requireGoodPassword } from '../users/password-rules.ts';
import type { UserStore } from '../users/store.ts';
import type { InvitationStore } from '../users/store-invitations.ts';
import type { PasswordStore } from '../users/store-passwords.ts';
import type { Invitations } from './invitations.ts';
import { tooManyAttempts } from './local.ts';
import type { LocalSignIn, OpenLocalSession, Visitor } from './local-session.ts';
import { linkNotGood } from './setup.ts';

export interface LocalPasswordDeps {
  clock: Clock;
  store: UserStore;
  passwords: PasswordStore;
  invitationStore: InvitationStore;
  invitations: Invitations;
  hasher: PasswordHasher;
  ledger: Ledger;
  openSession: OpenLocalSession;
  audit: AuditRecorder;
  /** Wrong old passwords, per session. */
  limit: Limiter;
  /** The host of `url`. */
  host: string;
}

/** How people set their own password anew. Either way ends every other session of theirs. */
export function localPasswords(deps: LocalPasswordDeps) {
  const {
    clock,
    store,
    passwords,
    invitationStore,
    invitations,
    hasher,
    ledger,
    openSession,
    audit,
    limit,
    host,
  } = deps;

  const requireGood = (password: string, { username, displayName, email }: User) =>
    requireGoodPassword(password, { host, username, displayName, email });

  const replace = (
    tx: Tx,
    user: User,
    hash: string,
    from: Visitor,
    except: SessionId | undefined,
    how: string,
  ) => {
    passwords.set(tx, user.id, hash, clock.now());
    invitationStore.deleteResetsFor(tx, user.id);
    const { address, userAgent } = from;
    ledger.endAllIn(tx, user.id, { reason: 'everywhere', actorUserId: user.id, address, except });
    audit.record(tx, {
      at: clock.now(),
      action: 'user.password_changed',
      outcome: 'success',
      actorUserId: user.id,
      sessionId: except,
      address,
      userAgent,
      detail: { how },
    });
  };

  const requireOldPassword = async (
    session: RecognisedSession,
    user: User,
    password: string,
  ): Promise<string> => {
    const allowance = await limit.take(session.id);
    if (!allowance.ok) throw tooManyAttempts(allowance.retryAfterSeconds);
    const hash = passwords.find(user.id)?.hash;
    if (hash === undefined || !(await hasher.verify(password, hash, 'known'))) {
      throw new AppError('forbidden', 'wrong_password', 'The old password is not right.');
    }
    allowance.giveBack();
    return hash;
  };

  return {
    has: (user: User): boolean => passwords.find(user.id) !== undefined,

    /**
     * Changes the password of who is signed in; their other sessions end.
     * @throws AppError `forbidden` (`wrong_password`), `too_many_requests`, `unprocessable` (`bad_password`),
     * `unauthorized` (`session_ended`), `conflict` (`changed_meanwhile`).
     */
    async change(
      { session, user }: { session: RecognisedSession; user: User },
      typed: { old: string; new: string },
      from: Visitor,
    ) {
      requireGood(typed.new, user);
      const oldHash = await requireOldPassword(session, user, typed.old);
      const hash = await hasher.hash(typed.new);
      await ledger.writeEnding([{ user: user.id, except: session.id }], (tx) => {
        ledger.requireLive(tx, session.id);
        if (passwords.find(user.id)?.hash !== oldHash) throw changedMeanwhile();
        replace(tx, user, hash, from, session.id, 'changed');
      });
    },

    /**
     * Sets a new password through a single-use link and signs the browser in; every session from before ends.
     * @throws AppError `gone` (`link_not_good`), `unprocessable` (`bad_password`).
     */
    async reset(typed: { link: string | undefined; password: string }, from: Visitor): Promise<LocalSignIn> {
      const { id, userId } = await invitations.find(typed.link, 'reset_password');
      const before = userId === undefined ? undefined : store.find(userId);
      if (before?.status !== 'active') throw linkNotGood();
      requireGood(typed.password, before);
      const hash = await hasher.hash(typed.password);
      return ledger.writeEnding([{ user: before.id }], (tx) => {
        invitations.claim(tx, id);
        const user = store.find(before.id);
        if (user?.status !== 'active') throw linkNotGood();
        replace(tx, user, hash, from, undefined, 'reset');
        return openSession(tx, user, from, 'reset');
      });
    },
  };
}

const changedMeanwhile = () =>
  new AppError('conflict', 'changed_meanwhile', 'The password was changed meanwhile. Try again.');
