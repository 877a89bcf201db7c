import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { IdentityClaims, User, UserRole } from '../users/model.ts';
import type { People } from '../users/people.ts';
import type { UserStore } from '../users/store.ts';
import type { InvitationId } from '../users/store-invitations.ts';
import type { Admission } from './admission.ts';
import type { Invitations } from './invitations.ts';
import { type Attempt, SignInRefused } from './model.ts';
import type { Setup } from './setup.ts';

export interface Completion {
  readonly attempt: Attempt;
  readonly claims: IdentityClaims;
  /** What the provider's rules say of these claims. */
  readonly admission: Admission;
  readonly from: { readonly address: string; readonly userAgent: string | undefined };
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * Settles who signs in, in the transaction that opens the session.
 * @throws SignInRefused (`not_allowed`, `purpose_over`), AppError `forbidden` (`user_disabled`).
 */
export type CompletePurpose = (tx: Tx, completion: Completion) => User;

export interface PurposeDeps {
  people: Pick<People, 'signInByIdentity'>;
  store: Pick<UserStore, 'isInvited'>;
  setup: Pick<Setup, 'requireOpen' | 'finish'>;
  invitations: Pick<Invitations, 'claim' | 'used'>;
}

/** What an attempt was begun for: a sign-in that `allow` permits, the first owner, or somebody invited. */
export function completePurpose({ people, store, setup, invitations }: PurposeDeps): CompletePurpose {
  const letIn = (tx: Tx, completion: Completion, invitedAs?: UserRole): User => {
    const { claims, admission, now, from } = completion;
    return people.signInByIdentity(tx, claims, { now, from, role: admission.role, invitedAs });
  };

  const signIn = (tx: Tx, completion: Completion): User => {
    const { claims, admission } = completion;
    if (!admission.isAllowed && !store.isInvited(claims.issuer, claims.subject))
      throw new SignInRefused('not_allowed');
    return letIn(tx, completion);
  };

  const firstOwner = (tx: Tx, completion: Completion): User => {
    setup.requireOpen();
    const user = letIn(tx, completion, 'owner');
    setup.finish(tx, { userId: user.id, ...completion.from }, completion.claims.provider);
    return user;
  };

  const invited = (tx: Tx, completion: Completion): User => {
    const invitation = invitations.claim(tx, completion.attempt.invitationId as InvitationId);
    const user = letIn(tx, completion, invitation.role);
    invitations.used(tx, invitation, { userId: user.id, ...completion.from });
    return user;
  };

  return (tx, completion) => {
    switch (completion.attempt.purpose) {
      case 'sign_in':
        return signIn(tx, completion);
      case 'setup':
        return unlessOver(() => firstOwner(tx, completion));
      case 'invitation':
        return unlessOver(() => invited(tx, completion));
    }
  };
}

/** A link that was good when the attempt began may have been used or voided since. */
function unlessOver(complete: () => User): User {
  try {
    return complete();
  } catch (error) {
    const isOver = error instanceof AppError && (error.kind === 'gone' || error.kind === 'not_found');
    throw isOver ? new SignInRefused('purpose_over', { cause: error }) : error;
  }
}
