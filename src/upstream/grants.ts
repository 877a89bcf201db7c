import { LRUCache } from 'lru-cache';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import { type Listeners, listeners } from '../lib/listeners.ts';
import type { Logger } from '../lib/log.ts';
import { once } from '../lib/once.ts';
import { newId } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ProviderTokens } from '../sign-in/model.ts';
import type { Actor, UserId } from '../users/model.ts';
import type { Announcements } from './announcements.ts';
import type { GrantEndReason, UpstreamAccount, UpstreamGrant, UpstreamGrantId } from './model.ts';
import { dependentSessions, type Needs } from './needs.ts';
import type { UpstreamGrantStore } from './store.ts';
import type { UpstreamLinkStore } from './store-links.ts';
import type { UpstreamChange, UpstreamDependent, UpstreamToken } from './tokens.ts';
import type { Turns } from './turns.ts';
import type { Vault } from './vault.ts';

export interface GrantsDeps {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  log: Logger;
  audit: AuditRecorder;
  ledger: Pick<Ledger, 'listDurable' | 'endIn' | 'writeEnding'>;
  store: UpstreamGrantStore;
  links: UpstreamLinkStore;
  turns: Pick<Turns, 'finish'>;
  vault: Vault;
  needs: Needs;
  announce: Pick<Announcements, 'token'>;
}

/** Tokens that somebody brought from a provider. */
export interface BroughtTokens {
  readonly userId: UserId;
  readonly provider: string;
  readonly account: UpstreamAccount;
  readonly tokens: ProviderTokens;
}

/** A grant that is gone, or has to be linked again. */
export interface EndedGrant extends UpstreamDependent {
  readonly id: UpstreamGrantId;
}

/** People and providers whose newest version is remembered. */
const MAX_KNOWN = 10_000;

export type Grants = ReturnType<typeof grants>;

/** Everything that makes, changes and ends grants at providers. Whoever listens hears of it after the commit. */
export function grants(deps: GrantsDeps) {
  const { db, clock, audit, ledger, store, links, vault, needs } = deps;
  const onError = (error: unknown) =>
    deps.log.error('somebody who was to hear of a linked account failed', { error });
  const refreshed: Listeners<UpstreamChange> = listeners(onError);
  const ended: Listeners<EndedGrant> = listeners(onError);

  /** The newest versions that anybody here knows of, as far as there is room: whoever listens bears to be told twice. */
  const known = once(() => new LRUCache<string, number>({ max: MAX_KNOWN }));
  const isKnown = ({ userId, provider }: UpstreamDependent, version: number) =>
    (known().get(`${userId} ${provider}`) ?? -1) >= version;
  const learn = ({ userId, provider }: UpstreamDependent, version: number) => {
    if (!isKnown({ userId, provider }, version)) known().set(`${userId} ${provider}`, version);
  };
  const tellRefreshed = (change: UpstreamChange) => {
    learn(change, change.token.version);
    refreshed.tell(change);
  };

  const toToken = (grant: UpstreamGrant, accessToken: string): UpstreamToken => ({
    accessToken,
    expiresAt: grant.expiresAt,
    version: grant.version,
  });

  /** Ends the sessions that stand on the grant; browser sessions never do. */
  const endDependents = (tx: Tx, of: UpstreamDependent, by: Actor): number =>
    dependentSessions(ledger, needs, of).filter(({ id }) =>
      ledger.endIn(tx, id, { reason: 'upstream_ended', actorUserId: by.userId, address: by.address }),
    ).length;

  /** Where the disk takes nothing, this process refuses what would have ended all the same. */
  const writeEnding = <T>(of: UpstreamDependent, job: (tx: Tx) => T): Promise<T> =>
    ledger.writeEnding(
      dependentSessions(ledger, needs, of).map(({ id }) => ({
        session: id,
        context: { reason: 'upstream_ended' as const },
      })),
      job,
    );

  return {
    onRefreshed: refreshed.add,
    onEnded: ended.add,

    /** For whoever begins something with this token: told only of newer ones from now on. */
    handOut(grant: UpstreamGrant, accessToken: string): UpstreamToken {
      learn(grant, grant.version);
      return toToken(grant, accessToken);
    },

    /** Tells of a token that another process has committed, unless it is known here. */
    catchUp({ userId, provider }: UpstreamDependent): void {
      const grant = store.find(userId, provider);
      if (grant?.status !== 'active' || isKnown(grant, grant.version)) return;
      const accessToken = vault.openToken(grant, 'access_token');
      if (accessToken !== undefined) tellRefreshed({ userId, provider, token: toToken(grant, accessToken) });
    },

    /** Keeps tokens in the place of what was there. Told as a refresh: what runs with the old ones goes on with these. */
    put(tx: Tx, { userId, provider, account, tokens }: BroughtTokens): UpstreamGrant {
      const id = newId('upg') as UpstreamGrantId;
      const place = { id, userId };
      const { accessToken, refreshToken, expiresAt, scope, obtainedAt } = tokens;
      const grant: UpstreamGrant = {
        id,
        userId,
        provider,
        subject: account.subject,
        accountName: account.name?.slice(0, 200),
        scope,
        status: 'active',
        endReason: undefined,
        sealedAccessToken: vault.sealToken(place, 'access_token', accessToken),
        sealedRefreshToken:
          refreshToken === undefined ? undefined : vault.sealToken(place, 'refresh_token', refreshToken),
        obtainedAt,
        expiresAt,
        version: (store.find(userId, provider)?.version ?? 0) + 1,
        linkedAt: clock.now(),
      };
      store.put(tx, grant);
      afterCommit(tx, () => tellRefreshed({ userId, provider, token: toToken(grant, accessToken) }));
      deps.announce.token(tx, grant);
      return grant;
    },

    /**
     * Commits what a refresh brought, if the grant is still exactly the one that was refreshed; `undefined` otherwise.
     * @throws AppError `unavailable` when the database cannot take it.
     */
    replaceTokens(grant: UpstreamGrant, tokens: ProviderTokens): Promise<UpstreamToken | undefined> {
      const { accessToken, refreshToken, ...times } = tokens;
      return db.write((tx) => {
        const changed = store.replaceTokens(tx, grant, {
          ...times,
          sealedAccessToken: vault.sealToken(grant, 'access_token', accessToken),
          sealedRefreshToken:
            refreshToken === undefined ? undefined : vault.sealToken(grant, 'refresh_token', refreshToken),
        });
        if (changed === undefined) return undefined;
        deps.turns.finish(tx, grant.id);
        const token = toToken(changed, accessToken);
        const { userId, provider } = grant;
        afterCommit(tx, () => tellRefreshed({ userId, provider, token }));
        deps.announce.token(tx, grant);
        return token;
      });
    },

    /** The tokens are good no more: what depends on them ends, and the person has to link again. `false`: it changed meanwhile. */
    end(grant: UpstreamGrant, reason: GrantEndReason): Promise<boolean> {
      return writeEnding(grant, (tx) => {
        if (!store.markEnded(tx, grant, reason)) return false;
        deps.turns.finish(tx, grant.id);
        const { userId, provider } = grant;
        const sessions = endDependents(tx, grant, {});
        audit.record(tx, {
          at: clock.now(),
          action: 'upstream.ended',
          outcome: 'success',
          subjectUserId: userId,
          detail: { provider, reason, sessions },
        });
        afterCommit(tx, () => ended.tell({ userId, provider, id: grant.id }));
        return true;
      });
    },

    /** Removes the grant and what depends on it; resolves with the grant as it was. `undefined`: there was none. */
    remove(userId: UserId, provider: string, by: Actor): Promise<UpstreamGrant | undefined> {
      return writeEnding({ userId, provider }, (tx) => {
        const grant = store.remove(tx, userId, provider);
        links.deleteOfUser(tx, userId, provider);
        if (grant === undefined) return undefined;
        const sessions = endDependents(tx, grant, by);
        audit.record(tx, {
          at: clock.now(),
          action: 'upstream.unlinked',
          outcome: 'success',
          actorUserId: by.userId,
          subjectUserId: userId,
          address: by.address,
          userAgent: by.userAgent,
          detail: { provider, sessions },
        });
        afterCommit(tx, () => ended.tell({ userId, provider, id: grant.id }));
        return grant;
      });
    },
  };
}
