import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { ProviderTokens } from '../sign-in/model.ts';
import { describeError } from '../sign-in/provider-errors.ts';
import type { Grants } from './grants.ts';
import type { CountRefresh } from './metrics.ts';
import type { UpstreamGrant, UpstreamGrantId } from './model.ts';
import type { UpstreamProviders } from './providers.ts';
import type { UpstreamGrantStore } from './store.ts';
import type { UpstreamToken } from './tokens.ts';
import type { Turns } from './turns.ts';
import type { Vault } from './vault.ts';

export interface RefresherDeps {
  grants: Pick<Grants, 'replaceTokens' | 'end'>;
  store: Pick<UpstreamGrantStore, 'find'>;
  vault: Vault;
  providers: Pick<UpstreamProviders, 'find'>;
  turns: Turns;
  clock: Clock;
  log: Logger;
  count: CountRefresh;
  /** Told when a refresh that failed is worth another try, epoch milliseconds. */
  onFailure: (tryAgainAt: number) => void;
  timing: { readonly retry_first: number; readonly retry_longest: number };
}

/** How a refresh ended. */
export type RefreshOutcome =
  | { readonly kind: 'refreshed'; readonly token: UpstreamToken }
  /** The provider refused for good, and what depended on the grant has ended. */
  | { readonly kind: 'ended' }
  /** The grant is another one by now, or gone. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number };

/** What is remembered of a grant while its refresh runs or fails. */
interface Attempts {
  running: Promise<RefreshOutcome> | undefined;
  failures: number;
  /** Monotonic milliseconds; nobody asks before. */
  notBefore: number;
  /** New tokens that could not be committed yet: the provider gives them once. */
  uncommitted: { readonly version: number; readonly tokens: ProviderTokens } | undefined;
}

export interface Refresher extends AsyncDisposable {
  /** Refreshes a grant that has a refresh token, or joins the refresh under way. After a failure it waits. Never rejects. */
  refresh(grant: UpstreamGrant): Promise<RefreshOutcome>;
  isRefreshing(id: UpstreamGrantId): boolean;
  /** Drops what is remembered of failures: the grant is gone. */
  forget(id: UpstreamGrantId): void;
  /** How long nobody asks for this grant, in milliseconds; 0 when a refresh may begin. */
  waitMs(id: UpstreamGrantId): number;
}

/** How long the end of the process waits for refreshes under way: a rotated token that nobody commits is a lost login. */
const DRAIN_MS = 5_000;

/** One refresh at a time for each grant; new tokens are committed before anybody is told of them. */
export function refresher(deps: RefresherDeps): Refresher {
  const { grants, store, vault, providers, turns, clock, log, count, timing } = deps;
  const all = new Map<UpstreamGrantId, Attempts>();
  let isClosed = false;

  const waitMs = (id: UpstreamGrantId): number =>
    Math.max(0, Math.ceil((all.get(id)?.notBefore ?? 0) - clock.monotonicNow()));

  const fail = (attempts: Attempts, askedToWaitMs: number | undefined): RefreshOutcome => {
    const backoff = Math.min(timing.retry_longest, timing.retry_first * 2 ** Math.min(attempts.failures, 30));
    attempts.failures++;
    return rest(attempts, Math.max(backoff, Math.min(askedToWaitMs ?? 0, timing.retry_longest)));
  };

  const rest = (attempts: Attempts, retryAfterMs: number): RefreshOutcome => {
    attempts.notBefore = clock.monotonicNow() + retryAfterMs;
    deps.onFailure(clock.now() + retryAfterMs);
    return { kind: 'unavailable', retryAfterMs };
  };

  /** Other processes may ask once the turn has run out; tokens that wait here have to be committed before. */
  const keepTrying = (grant: UpstreamGrant, attempts: Attempts): RefreshOutcome => {
    const outcome = fail(attempts, undefined);
    if (attempts.uncommitted === undefined || turns.commitWithinMs === Infinity) return outcome;
    clock.setTimer(turns.commitWithinMs, () => void refresh(grant));
    // A timer may be a little early.
    return rest(attempts, turns.commitWithinMs / 2);
  };

  const endGrant = async (grant: UpstreamGrant, reason: 'invalid_grant' | 'unreadable') => {
    const { provider, userId } = grant;
    log.warn('an account has to be linked again', { provider, user: userId, reason });
    return (await grants.end(grant, reason)) ? ({ kind: 'ended' } as const) : SUPERSEDED;
  };

  /** Whatever the provider gave belongs to nobody: the person has unlinked, and so it goes back. */
  const giveBack = async (grant: UpstreamGrant, tokens: ProviderTokens) => {
    if (store.find(grant.userId, grant.provider) !== undefined) return;
    try {
      await providers.find(grant.provider)?.revoke(tokens);
    } catch (error) {
      log.warn('tokens of an account that was unlinked meanwhile could not be revoked', {
        provider: grant.provider,
        ...describeError(error),
      });
    }
  };

  const commit = async (grant: UpstreamGrant, attempts: Attempts, tokens: ProviderTokens) => {
    attempts.uncommitted = { version: grant.version, tokens };
    const token = await grants.replaceTokens(grant, tokens);
    attempts.uncommitted = undefined;
    all.delete(grant.id);
    if (token === undefined) {
      count(grant.provider, 'superseded');
      await giveBack(grant, tokens);
      return SUPERSEDED;
    }
    count(grant.provider, 'success');
    return { kind: 'refreshed', token } as const;
  };

  const failInTurn = async (grant: UpstreamGrant, attempts: Attempts, askedToWaitMs: number | undefined) => {
    const outcome = fail(attempts, askedToWaitMs);
    if (outcome.kind === 'unavailable') await turns.postpone(grant, outcome.retryAfterMs);
    return outcome;
  };

  const ask = async (grant: UpstreamGrant, attempts: Attempts): Promise<RefreshOutcome> => {
    const refreshToken = vault.openToken(grant, 'refresh_token');
    if (refreshToken === undefined) return endGrant(grant, 'unreadable');
    const provider = providers.find(grant.provider);
    if (provider === undefined) return failInTurn(grant, attempts, undefined);
    const answer = await provider.refresh(refreshToken);
    if (answer.kind === 'tokens') return commit(grant, attempts, answer.tokens);
    count(grant.provider, answer.kind);
    if (answer.kind === 'invalid_grant') return endGrant(grant, 'invalid_grant');
    const level = attempts.failures === 0 ? 'warn' : 'debug';
    log[level]('a provider gave no new tokens; it is asked again', {
      provider: grant.provider,
      outcome: answer.kind,
      ...describeError(answer.error),
    });
    return failInTurn(grant, attempts, answer.retryAfterMs);
  };

  const askInTurn = async (grant: UpstreamGrant, attempts: Attempts): Promise<RefreshOutcome> => {
    const turn = await turns.take(grant).catch((error: unknown) => {
      log.error('the database cannot say whose turn it is to refresh a token; it is asked again', { error });
      return undefined;
    });
    if (turn === undefined) return fail(attempts, undefined);
    if (turn.kind === 'mine') return ask(grant, attempts);
    if (turn.kind === 'later') return rest(attempts, turn.retryAfterMs);
    count(grant.provider, 'superseded');
    return SUPERSEDED;
  };

  const attempt = async (grant: UpstreamGrant, attempts: Attempts): Promise<RefreshOutcome> => {
    const kept = attempts.uncommitted;
    try {
      if (kept === undefined) return await askInTurn(grant, attempts);
      if (kept.version === grant.version) return await commit(grant, attempts, kept.tokens);
      attempts.uncommitted = undefined;
      return SUPERSEDED;
    } catch (error) {
      count(grant.provider, 'uncommitted');
      log.error('what a provider answered could not be written; it is tried again', {
        provider: grant.provider,
        error,
      });
      return keepTrying(grant, attempts);
    }
  };

  const refresh = (grant: UpstreamGrant): Promise<RefreshOutcome> => {
    const attempts = all.get(grant.id) ?? {
      running: undefined,
      failures: 0,
      notBefore: 0,
      uncommitted: undefined,
    };
    if (attempts.running !== undefined) return attempts.running;
    const wait = waitMs(grant.id);
    if (wait > 0 || isClosed)
      return Promise.resolve({ kind: 'unavailable', retryAfterMs: Math.max(wait, 1_000) });
    all.set(grant.id, attempts);
    attempts.running = attempt(grant, attempts).then((outcome) => {
      attempts.running = undefined;
      if (outcome.kind !== 'unavailable') all.delete(grant.id);
      return outcome;
    });
    return attempts.running;
  };

  return {
    waitMs,
    isRefreshing: (id) => all.get(id)?.running !== undefined,
    forget(id) {
      if (all.get(id)?.running === undefined) all.delete(id);
    },
    refresh,

    async [Symbol.asyncDispose]() {
      isClosed = true;
      turns[Symbol.dispose]();
      const running = [...all.values()].flatMap((attempts) => attempts.running ?? []);
      if (running.length === 0) return;
      const { promise: tooLong, resolve } = Promise.withResolvers<void>();
      using _timer = clock.setTimer(DRAIN_MS, resolve);
      await Promise.race([Promise.all(running), tooLong]);
    },
  };
}

const SUPERSEDED = { kind: 'superseded' } as const;
