import type { AuditRecorder } from '../audit/recorder.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { RecognisedSession, SessionId } from '../sessions/model.ts';
import type { IdTokens } from './id-tokens.ts';
import type { ProviderSignOut } from './provider-sign-out.ts';

export interface SignOutDeps {
  ledger: Pick<Ledger, 'writeEnding' | 'endIn' | 'find'>;
  idTokens: IdTokens;
  providerSignOut: ProviderSignOut;
  audit: AuditRecorder;
  clock: Clock;
}

export interface SignedOut {
  /** Where the session at the provider ends, when this one came from there. */
  readonly continueAt: string | undefined;
}

export type SignOut = ReturnType<typeof signOut>;

/**
 * Ends a browser session and its children.
 * @throws AppError `unavailable` when it could not be committed; this process refuses the session all the same.
 */
export function signOut({ ledger, idTokens, providerSignOut, audit, clock }: SignOutDeps) {
  /** Where nobody can tell, the session ends all the same: here, and not at its provider. */
  const providerOf = async (id: SessionId) => {
    try {
      return (await ledger.find(id))?.origin.provider;
    } catch (error) {
      if (error instanceof AppError && error.kind === 'unavailable') return undefined;
      throw error;
    }
  };

  return async (
    session: RecognisedSession,
    from: { address: string; userAgent: string | undefined },
  ): Promise<SignedOut> => {
    const { id, userId } = session;
    const provider = await providerOf(id);
    const idToken = await ledger.writeEnding([{ session: id }], (tx) => {
      const wasLive = ledger.endIn(tx, id, {
        reason: 'signed_out',
        actorUserId: userId,
        address: from.address,
      });
      if (wasLive) {
        const at = clock.now();
        audit.record(tx, {
          at,
          action: 'sign_out',
          outcome: 'success',
          actorUserId: userId,
          sessionId: id,
          ...from,
        });
      }
      return idTokens.take(tx, id);
    });
    return { continueAt: provider === undefined ? undefined : providerSignOut.url(provider, idToken) };
  };
}
