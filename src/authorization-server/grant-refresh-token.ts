import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { resourcesOf } from '../sessions/audience.ts';
import type { Ledger, RefreshOutcome } from '../sessions/ledger.ts';
import type { RecognisedSession } from '../sessions/model.ts';
import type { User } from '../users/model.ts';
import { findResource } from './check-resource.ts';
import { isWithin } from './check-scope.ts';
import type { ProtectedResource } from './model.ts';
import { invalidGrant, invalidScope, invalidTarget } from './token-errors.ts';

export interface RefreshGrantDeps {
  db: Db;
  ledger: Pick<Ledger, 'refreshGrant'>;
  audit: AuditRecorder;
  clock: Clock;
  resources: () => readonly ProtectedResource[];
}

/** What a client sends to refresh (RFC 6749 section 6). */
export interface Refresh {
  clientId: string;
  refreshToken: string | undefined;
  scope: string | undefined;
  resource: string | undefined;
}

export type Refreshed = Extract<RefreshOutcome, { readonly kind: 'refreshed' | 'repeated' }> & {
  readonly scope: string;
};

/** Refreshes a grant. Everything that consent rested on is looked at again: the person, `allow`, and that the resource is there. */
export function refreshGrant({ db, ledger, audit, clock, resources }: RefreshGrantDeps) {
  const checkFor = (sent: Refresh) => (session: RecognisedSession, user: User) => {
    if (session.clientId !== sent.clientId) throw invalidGrant();
    const resource = resourceOf(session, resources());
    if (resource === undefined || user.status !== 'active' || !resource.mayUse(user)) throw invalidGrant();
    if (sent.resource !== undefined && findResource(sent.resource, resources()) !== resource)
      throw invalidTarget();
    if (!isWithin(sent.scope, resource.scope)) throw invalidScope();
  };

  return async (sent: Refresh): Promise<Refreshed | 'reused'> => {
    const { refreshToken } = sent;
    if (refreshToken === undefined) {
      throw new AppError('bad_request', 'invalid_request', 'refresh_token is missing');
    }
    const check = checkFor(sent);
    const outcome = await db.write((tx) => {
      const refreshed = ledger.refreshGrant(tx, refreshToken, check);
      if (refreshed.kind === 'reused') {
        const { id, userId, clientId = '' } = refreshed.session;
        audit.record(tx, {
          at: clock.now(),
          action: 'oauth.token_reused',
          outcome: 'refused',
          subjectUserId: userId,
          sessionId: id,
          detail: { client: clientId },
        });
      }
      return refreshed;
    });
    switch (outcome.kind) {
      case 'unknown':
      case 'ended':
        throw invalidGrant();
      case 'reused':
        return 'reused';
      case 'refreshed':
      case 'repeated':
        return { ...outcome, scope: resourceOf(outcome.session, resources())?.scope ?? '' };
    }
  };
}

function resourceOf(
  { audience }: RecognisedSession,
  resources: readonly ProtectedResource[],
): ProtectedResource | undefined {
  const [indicator] = resourcesOf(audience);
  return resources.find(({ resource }) => resource === indicator);
}
