import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { UserId } from '../users/model.ts';
import type { Grants } from './grants.ts';
import { dueAt, isExpired, type UpstreamGrant } from './model.ts';
import type { Refresher } from './refresher.ts';
import type { UpstreamGrantStore } from './store.ts';
import type { UpstreamToken } from './tokens.ts';
import type { Vault } from './vault.ts';

export interface CurrentDeps {
  store: Pick<UpstreamGrantStore, 'find'>;
  grants: Pick<Grants, 'end' | 'handOut'>;
  refresher: Refresher;
  vault: Vault;
  clock: Clock;
  leadMs: number;
  /** Told of each token that is handed out, and when it is due. */
  onUse: (due: number) => void;
}

/** How long somebody waits for a new token while the old one is still good. */
const PATIENCE_MS = 2_000;

/**
 * Finds the token to use now; see `UpstreamTokens.current`. A token that is due is refreshed first; one that is still good
 * is handed out all the same when the provider fails or takes its time.
 */
export function currentToken(deps: CurrentDeps) {
  const { store, grants, refresher, vault, clock, leadMs } = deps;

  const asItIs = async (grant: UpstreamGrant): Promise<UpstreamToken | undefined> => {
    const accessToken = vault.openToken(grant, 'access_token');
    if (accessToken !== undefined) {
      const due = dueAt(grant, leadMs);
      if (due > clock.now()) deps.onUse(due);
      return grants.handOut(grant, accessToken);
    }
    await grants.end(grant, 'unreadable');
    return undefined;
  };

  const patiently = async (grant: UpstreamGrant) => {
    const refreshing = refresher.refresh(grant);
    if (isExpired(grant, clock.now())) return refreshing;
    const { promise: tooLong, resolve } = Promise.withResolvers<undefined>();
    using _timer = clock.setTimer(PATIENCE_MS, () => resolve(undefined));
    return await Promise.race([refreshing, tooLong]);
  };

  const find = async (
    userId: UserId,
    provider: string,
    mayFollow: boolean,
  ): Promise<UpstreamToken | undefined> => {
    const grant = store.find(userId, provider);
    if (grant?.status !== 'active') return undefined;
    const now = clock.now();
    if (now < dueAt(grant, leadMs)) return asItIs(grant);
    if (grant.sealedRefreshToken === undefined) {
      if (!isExpired(grant, now)) return asItIs(grant);
      await grants.end(grant, 'expired');
      return undefined;
    }
    const outcome = await patiently(grant);
    if (outcome?.kind === 'refreshed') return outcome.token;
    if (outcome?.kind === 'ended') return undefined;
    // Linked anew, or refreshed by somebody else, while the provider was asked.
    if (outcome?.kind === 'superseded') return mayFollow ? find(userId, provider, false) : undefined;
    if (!isExpired(grant, clock.now())) return asItIs(grant);
    throw unavailable(outcome?.retryAfterMs ?? refresher.waitMs(grant.id));
  };

  return (userId: UserId, provider: string): Promise<UpstreamToken | undefined> =>
    find(userId, provider, true);
}

function unavailable(retryAfterMs: number): AppError {
  return new AppError(
    'unavailable',
    'upstream_unavailable',
    'The provider of the linked account does not answer, and the token it gave has ended.',
    { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1_000)) },
  );
}
