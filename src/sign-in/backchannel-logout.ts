import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { EndingTarget, Ledger } from '../sessions/ledger.ts';
import type { UserId } from '../users/model.ts';
import type { UserStore } from '../users/store.ts';
import { invalidLogoutToken } from './logout-token.ts';
import type { CountLogout } from './metrics.ts';
import type { LogoutNotice } from './provider.ts';
import type { Providers } from './providers.ts';
import type { LogoutStore } from './store-logouts.ts';

export interface BackchannelLogoutDeps {
  ledger: Pick<Ledger, 'writeEnding' | 'endAllIn' | 'endProviderSessionIn' | 'findByProviderSid'>;
  users: Pick<UserStore, 'findByIdentity'>;
  providers: Providers;
  logouts: LogoutStore;
  audit: AuditRecorder;
  count: CountLogout;
  clock: Clock;
  /** How long a logout counts against sign-ins under way; never shorter than those may take. */
  memoryMs: number;
}

export type BackchannelLogout = ReturnType<typeof backchannelLogout>;

/**
 * Takes a provider's word that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0): `sid` ends that
 * browser session, `sub` alone ends every browser session and grant of the person.
 * @throws AppError `not_found` (`unknown_provider`), `bad_request` (`invalid_logout_token`), `unavailable`.
 */
export function backchannelLogout(deps: BackchannelLogoutDeps) {
  const { ledger, users, providers, logouts, audit, count, clock, memoryMs } = deps;

  const personOf = ({ issuer, subject }: LogoutNotice): UserId | undefined =>
    subject === undefined ? undefined : users.findByIdentity(issuer, subject)?.id;

  const targetsOf = async (provider: string, notice: LogoutNotice): Promise<EndingTarget[]> => {
    if (notice.sid !== undefined) {
      const sessions = await ledger.findByProviderSid(provider, notice.sid);
      return sessions.map(({ id }) => ({ session: id }));
    }
    const user = personOf(notice);
    return user === undefined ? [] : [{ user }];
  };

  /** Read again inside: a sign-in may have been committed since. */
  const end = (tx: Tx, provider: string, notice: LogoutNotice, address: string): number => {
    const context = { reason: 'provider_logout' as const, address };
    if (notice.sid !== undefined) {
      const session = { provider, sid: notice.sid, userId: personOf(notice) };
      return ledger.endProviderSessionIn(tx, session, context);
    }
    const user = personOf(notice);
    return user === undefined ? 0 : ledger.endAllIn(tx, user, context);
  };

  const remember = (tx: Tx, provider: string, { sid, subject = '' }: LogoutNotice, now: number) =>
    logouts.remember(tx, {
      provider,
      claim: sid === undefined ? 'sub' : 'sid',
      value: sid ?? subject,
      at: now,
      expiresAt: now + memoryMs,
    });

  const apply = (tx: Tx, provider: string, notice: LogoutNotice, address: string) => {
    const now = clock.now();
    if (!logouts.takeTokenId(tx, { provider, ...notice }, now)) throw invalidLogoutToken();
    remember(tx, provider, notice, now);
    const sessions = end(tx, provider, notice, address);
    audit.record(tx, {
      at: now,
      action: 'backchannel_logout',
      outcome: 'success',
      subjectUserId: personOf(notice),
      address,
      detail: { provider, by: notice.sid === undefined ? 'sub' : 'sid', sessions },
    });
  };

  return {
    async receive(name: string, token: string, address: string): Promise<void> {
      const provider = providers.get(name);
      if (provider.readLogoutToken === undefined) throw unknownProvider();
      try {
        const notice = await provider.readLogoutToken(token);
        await ledger.writeEnding(await targetsOf(name, notice), (tx) => apply(tx, name, notice, address));
        count(name, 'success');
      } catch (error) {
        const isOutage = error instanceof AppError && error.kind === 'unavailable';
        count(name, isOutage ? 'unavailable' : 'refused');
        throw error;
      }
    },

    /**
     * Keeps for the audit that a token was refused.
     * @throws AppError `not_found` (`unknown_provider`): a name that a stranger made up stands in no row.
     */
    noteRefusal(name: string, address: string): void {
      const provider = providers.get(name).name;
      audit.note({
        at: clock.now(),
        action: 'backchannel_logout',
        outcome: 'refused',
        address,
        detail: { provider, reason: 'invalid_logout_token' },
      });
    },
  };
}

const unknownProvider = () => new AppError('not_found', 'unknown_provider', 'There is no such provider.');
