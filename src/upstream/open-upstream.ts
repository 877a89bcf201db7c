import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { RunningLedger } from '../sessions/open-ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import type { KeepTokens } from '../sign-in/provider-session.ts';
import type { UserStore } from '../users/store.ts';
import { accounts } from './accounts.ts';
import { announcements, noAnnouncements } from './announcements.ts';
import { catchingUp } from './catching-up.ts';
import { currentToken } from './current.ts';
import { grants } from './grants.ts';
import { linking } from './linking.ts';
import { linkCounts, observeGrants, refreshCounts } from './metrics.ts';
import { dueAt } from './model.ts';
import { dependentSessions, type Needs } from './needs.ts';
import { openUpstreamProviders } from './providers.ts';
import { refresher } from './refresher.ts';
import { resealTasks } from './resealing.ts';
import { rotator } from './rotator.ts';
import { secrets } from './secrets.ts';
import { upstreamGrantStore } from './store.ts';
import { upstreamLinkStore } from './store-links.ts';
import { userSecretStore } from './store-secrets.ts';
import { turnStore } from './store-turns.ts';
import type { UpstreamDependent, UpstreamTokens } from './tokens.ts';
import { ownTurns, sharedTurns } from './turns.ts';
import { vault } from './vault.ts';

export interface OpenUpstreamDeps {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  log: Logger;
  ring: KeyRing;
  audit: AuditRecorder;
  metrics: Metrics;
  ledger: RunningLedger;
  users: UserStore;
  config: Pick<Config, 'provider' | 'upstream' | 'sign_in'>;
  /** The origin of `url`. */
  origin: string;
  needs: Needs;
  /** Whether other processes refresh the same grants. */
  isShared: boolean;
}

export type OpenUpstream = ReturnType<typeof openUpstream>;

/** Tokens and secrets that people let us hold for MCP backends. */
export function openUpstream(deps: OpenUpstreamDeps) {
  const { db, clock, log, ring, audit, metrics, ledger, config, needs } = deps;
  const timing = config.upstream;
  const ending = new AbortController();
  const store = upstreamGrantStore(db);
  const links = upstreamLinkStore();
  const secretStore = userSecretStore(db);
  const box = vault(ring);
  const providers = openUpstreamProviders({
    config,
    needed: needs.providers,
    origin: deps.origin,
    clock,
    log,
    ending: ending.signal,
  });
  const turns = deps.isShared ? openSharedTurns(deps) : ownTurns;
  const announce = deps.isShared ? announcements(ledger, needs) : noAnnouncements;
  const all = grants({ db, clock, log, audit, ledger, store, links, turns, vault: box, needs, announce });
  const refreshing = refresher({
    grants: all,
    store,
    vault: box,
    providers,
    turns,
    clock,
    log,
    count: refreshCounts(metrics, providers.all),
    onFailure: (tryAgainAt) => rotation.expect(tryAgainAt),
    timing,
  });
  all.onEnded(({ id }) => refreshing.forget(id));
  const stored = secrets({ db, clock, log, audit, store: secretStore, vault: box, needs, announce });

  /** Until somebody says what runs: everybody with a live grant at a backend. */
  const withLiveGrants = (): UpstreamDependent[] =>
    store
      .listActive()
      .filter((grant) => needs.providers.has(grant.provider))
      .filter((grant) => dependentSessions(ledger, needs, grant).length > 0);
  let dependents: () => Iterable<UpstreamDependent> = withLiveGrants;
  const rotation = rotator({
    store,
    grants: all,
    refresher: refreshing,
    clock,
    leadMs: timing.refresh_lead,
    everyMs: timing.rotate_interval,
    dependents: () => dependents(),
    catchUp: (grant) => deps.isShared && all.catchUp(grant),
  });
  all.onRefreshed(({ userId, provider }) => {
    const grant = store.find(userId, provider);
    if (grant !== undefined) rotation.expect(dueAt(grant, timing.refresh_lead));
  });
  const current = currentToken({
    store,
    grants: all,
    refresher: refreshing,
    vault: box,
    clock,
    leadMs: timing.refresh_lead,
    onUse: (due) => rotation.expect(due),
  });
  const elsewhere = deps.isShared
    ? catchingUp({ events: ledger.events, needs, grants: all, secrets: stored })
    : undefined;
  observeGrants(metrics, store);

  const tokens: UpstreamTokens = {
    current,
    isLinked: (userId, provider) => store.find(userId, provider)?.status === 'active',
    onRefreshed: all.onRefreshed,
    onEnded: all.onEnded,
    secret: (userId, name) => stored.find(userId, name),
    onSecretChanged: stored.onChanged,
    linkUrl: (provider, returnTo) => `/account/links/${provider}?return_to=${encodeURIComponent(returnTo)}`,
  };

  /**
   * Only what lasts: an hour's token without a refresh token would end in an hour what a link keeps for months. And
   * never in the place of another account, which somebody has linked on purpose.
   */
  const keepTokens: KeepTokens = (tx, { userId, claims: { provider, issuer, ...claims }, tokens }) => {
    if (!needs.providers.has(provider)) return;
    if (tokens.refreshToken === undefined && tokens.expiresAt !== undefined) return;
    const linked = store.find(userId, provider);
    if (linked?.status === 'active' && linked.subject !== claims.subject) return;
    const account = {
      issuer,
      subject: claims.subject,
      name: claims.preferredUsername ?? claims.verifiedEmail,
    };
    all.put(tx, { userId, provider, account, tokens });
    audit.record(tx, {
      at: clock.now(),
      action: 'upstream.linked',
      outcome: 'success',
      actorUserId: userId,
      detail: { provider, at_sign_in: true },
    });
  };

  return {
    tokens,
    keepTokens,
    accounts: accounts({ store, providers, needs }),
    linking: linking({
      db,
      clock,
      log,
      ring,
      ledger,
      audit,
      users: deps.users,
      providers,
      links,
      grants: all,
      vault: box,
      count: linkCounts(metrics, providers.all),
      lifetimeMs: timing.link_lifetime,
      revokeTimeoutMs: config.sign_in.provider_timeout,
    }),
    secrets: stored,
    /** Whether there is anything to rotate: some backend is given tokens, or secrets that other processes may change. */
    isNeeded: needs.providers.size > 0 || (deps.isShared && needs.secrets.size > 0),
    /** Says what runs with tokens of whom, in the place of every live grant. */
    setDependents(find: () => Iterable<UpstreamDependent>): void {
      dependents = find;
    },
    rotate: () => {
      if (deps.isShared) stored.catchUpAll();
      return rotation.rotate();
    },
    resealTasks: resealTasks({ grants: store, secrets: secretStore, vault: box }),
    reapTask: {
      name: 'upstream_links',
      deleteExpired: (tx, now, limit) => links.deleteExpired(tx, now, limit),
    } satisfies ReapTask,
    async [Symbol.asyncDispose]() {
      elsewhere?.[Symbol.dispose]();
      rotation[Symbol.dispose]();
      await refreshing[Symbol.asyncDispose]();
      ending.abort(new Error('the appliance is shutting down'));
    },
  };
}

/** Time beyond what a provider is given, for the commit and a busy machine. */
const TURN_MARGIN_MS = 10_000;

function openSharedTurns({ db, clock, log, config }: OpenUpstreamDeps) {
  const { refresh_timeout, retry_longest } = config.upstream;
  return sharedTurns({
    db,
    store: turnStore(db),
    clock,
    log,
    holdMs: config.sign_in.discovery_timeout + refresh_timeout + TURN_MARGIN_MS,
    longestWaitMs: retry_longest,
  });
}
