import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { type Clock, withDeadline } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import { newId, newSecret } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import { attemptSecrets } from '../sign-in/attempt-secrets.ts';
import { describeError } from '../sign-in/provider-errors.ts';
import { hashSecret } from '../sign-in/single-use-secret.ts';
import type { Actor, UserId } from '../users/model.ts';
import type { UserStore } from '../users/store.ts';
import type { Grants } from './grants.ts';
import type { CountLink } from './metrics.ts';
import {
  type LinkRefusal,
  LinkRefused,
  type UpstreamAccount,
  type UpstreamLink,
  type UpstreamLinkId,
} from './model.ts';
import type { UpstreamProviders } from './providers.ts';
import type { UpstreamLinkStore } from './store-links.ts';
import type { Vault } from './vault.ts';

export interface LinkingDeps {
  db: Db;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  log: Logger;
  ring: KeyRing;
  ledger: Pick<Ledger, 'requireLive' | 'whenEnding'>;
  audit: AuditRecorder;
  users: Pick<UserStore, 'findByIdentity'>;
  providers: UpstreamProviders;
  links: UpstreamLinkStore;
  grants: Grants;
  vault: Vault;
  count: CountLink;
  lifetimeMs: number;
  /** How long somebody who unlinks waits for the provider. */
  revokeTimeoutMs: number;
}

/** Who links, through which browser session. */
export interface Linker extends Actor {
  readonly userId: UserId;
  readonly sessionId: SessionId;
}

/** What a browser needs to go on. */
export interface BegunLink {
  readonly id: UpstreamLinkId;
  /** For its cookie; told once. */
  readonly browserSecret: string;
  readonly lifetimeMs: number;
  /** Where it goes: a page of the provider. */
  readonly location: string;
}

/** What a browser came back with. */
export interface LinkCallback {
  readonly provider: string;
  readonly query: URLSearchParams;
  /** `state` of the query. */
  readonly state: string;
  /** From the cookie of that link. */
  readonly browserSecret: string | undefined;
}

export type LinkOutcome =
  | { readonly ok: true; readonly returnTo: string }
  | { readonly ok: false; readonly refusal: LinkRefusal; readonly returnTo: string | undefined };

/** Whether the provider was told that the tokens are not needed any more. */
export type Unlinked = 'revoked' | 'not_told' | 'unsupported';

export type Linking = ReturnType<typeof linking>;

/** Links accounts at providers: one row for each try, used once, by the browser and the session that began it. */
export function linking(deps: LinkingDeps) {
  const { db, clock, log, ledger, audit, users, providers, links, grants, vault, count } = deps;
  const secretsOf = attemptSecrets(deps.ring);
  ledger.whenEnding((tx, ended) => links.deleteOfSessions(tx, ended));

  /** Uses the link up before anything is asked of the provider: of two callbacks, one goes on. */
  const consume = async (
    { provider, state, browserSecret }: LinkCallback,
    { sessionId }: Linker,
  ): Promise<UpstreamLink> => {
    if (browserSecret === undefined) throw new LinkRefused('other_browser');
    const link = await db.write((tx) => links.consume(tx, state, hashSecret(browserSecret), sessionId));
    if (link === undefined || clock.now() >= link.expiresAt) throw new LinkRefused('link_unknown');
    if (link.provider !== provider) throw new LinkRefused('other_provider');
    return link;
  };

  /** An account that is somebody else's way in stays theirs: whoever shares a browser must not act as them. */
  const requireOwnAccount = ({ issuer, subject }: UpstreamAccount, userId: UserId) => {
    const holder = users.findByIdentity(issuer, subject);
    if (holder !== undefined && holder.id !== userId) throw new LinkRefused('other_person');
  };

  const finish = async (callback: LinkCallback, link: UpstreamLink, by: Linker) => {
    const { browserSecret = '', query } = callback;
    const provider = providers.get(link.provider);
    const { tokens, account } = await provider.redeem(query, { state: link.id, ...secretsOf(browserSecret) });
    await db.write((tx) => {
      ledger.requireLive(tx, link.sessionId);
      requireOwnAccount(account, link.userId);
      grants.put(tx, { userId: link.userId, provider: link.provider, account, tokens });
      recordLinked(tx, link.provider, account, by);
    });
  };

  const recordLinked = (tx: Tx, provider: string, { subject }: UpstreamAccount, by: Linker) =>
    audit.record(tx, {
      at: clock.now(),
      action: 'upstream.linked',
      outcome: 'success',
      actorUserId: by.userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { provider, subject: subject.slice(0, 200) },
    });

  const refuse = (provider: string, refusal: LinkRefusal, by: Linker, returnTo?: string): LinkOutcome => {
    count(provider, refusal);
    audit.note({
      at: clock.now(),
      action: 'upstream.linked',
      outcome: 'refused',
      actorUserId: by.userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { provider, reason: refusal },
    });
    return { ok: false, refusal, returnTo };
  };

  return {
    /**
     * Begins a link. `returnTo` is a path of ours, checked by the caller.
     * @throws AppError `not_found` (`unknown_provider`), `unavailable` (`provider_unavailable`), `unauthorized` (`session_ended`).
     */
    async begin(
      { provider, returnTo }: Pick<UpstreamLink, 'provider' | 'returnTo'>,
      by: Linker,
    ): Promise<BegunLink> {
      const id = newId('lnk') as UpstreamLinkId;
      const browserSecret = newSecret();
      const checks = { state: id, ...secretsOf(browserSecret) };
      const location = await providers.get(provider).authorizationUrl(checks);
      await db.write((tx) => {
        const { userId, id: sessionId } = ledger.requireLive(tx, by.sessionId);
        const expiresAt = clock.now() + deps.lifetimeMs;
        links.insert(tx, { id, provider, userId, sessionId, returnTo, expiresAt }, hashSecret(browserSecret));
      });
      return { id, browserSecret, lifetimeMs: deps.lifetimeMs, location: location.href };
    },

    /**
     * Completes a link with what the provider answered. A refusal is an outcome, not an exception.
     * @throws AppError `not_found` (`unknown_provider`), `unauthorized` (`session_ended`), `unavailable` when the store
     * cannot take it.
     */
    async complete(callback: LinkCallback, by: Linker): Promise<LinkOutcome> {
      const { name } = providers.get(callback.provider);
      let link: UpstreamLink | undefined;
      try {
        link = await consume(callback, by);
        await finish(callback, link, by);
        count(name, 'success');
        return { ok: true, returnTo: link.returnTo };
      } catch (error) {
        if (!(error instanceof LinkRefused)) throw error;
        return refuse(name, error.refusal, by, link?.returnTo);
      }
    },

    /** Ends a link, and what depends on it, then tells the provider. `undefined`: there was none. */
    async unlink(provider: string, by: Actor & { userId: UserId }): Promise<Unlinked | undefined> {
      const grant = await grants.remove(by.userId, provider, by);
      if (grant === undefined) return undefined;
      const tokens = {
        accessToken: vault.openToken(grant, 'access_token'),
        refreshToken: vault.openToken(grant, 'refresh_token'),
      };
      const known = providers.find(provider);
      if (known === undefined || (tokens.accessToken === undefined && tokens.refreshToken === undefined)) {
        return 'unsupported';
      }
      try {
        const tooLate = () => new Error('no answer in time');
        const told = await withDeadline(clock, deps.revokeTimeoutMs, known.revoke(tokens), tooLate);
        return told ? 'revoked' : 'unsupported';
      } catch (error) {
        log.warn('tokens of an unlinked account could not be revoked at the provider', {
          provider,
          ...describeError(error),
        });
        return 'not_told';
      }
    },
  };
}
