import type { Tx } from '../db/write.ts';
import type { User, UserId } from '../users/model.ts';
import type {
  Audience,
  CredentialUse,
  FoundCredential,
  RecognisedSession,
  RevokeReason,
  Session,
  SessionId,
  SessionOrigin,
  SessionToken,
} from './model.ts';

/** What a credential turned out to be. Refusals look alike outside; the reason is for audit and metrics. */
export type Authentication =
  | { readonly ok: true; readonly session: RecognisedSession; readonly user: User }
  | { readonly ok: false; readonly reason: RefusalReason };

export type RefusalReason = 'malformed' | 'unknown' | 'other_audience' | 'revoked' | 'expired';

export interface Issued {
  readonly session: Session;
  readonly token: SessionToken;
}

export interface NewBrowserSession {
  userId: UserId;
  origin: SessionOrigin;
}

export interface NewChildSession {
  /** The browser session on the appliance's own origin. */
  parentId: SessionId;
  /** Lower case, with its port unless that is the scheme's own. */
  host: string;
  origin: SessionOrigin;
}

export interface NewPersonalToken {
  /** The browser session that makes it. */
  issuedBy: SessionId;
  label: string;
  audience: readonly Audience[];
  /** Epoch milliseconds. */
  expiresAt: number;
  origin: SessionOrigin;
}

export interface NewGrant {
  /** The browser session in which its user consented. */
  issuedBy: SessionId;
  clientId: string;
  /** What the client calls itself. */
  label: string;
  audience: Audience;
  /** Names separated by spaces (RFC 6749 section 3.3). */
  scope: string;
  origin: SessionOrigin;
}

export interface NewDeviceSession {
  /** Whose device it becomes. */
  userId: UserId;
  /** The browser session that made the code, or approved; `undefined`: the operator at the machine. */
  issuedBy: SessionId | undefined;
  deviceId: string;
  /** Ed25519, base64url of its 32 bytes; judged already. */
  clientPublicKey: string;
  /** What the device is called. */
  label: string;
  origin: SessionOrigin;
}

export interface NewGuestSession {
  /** The session of the device, whose owner the guest acts for. */
  parentId: SessionId;
  linkId: string;
  /** Lower case, with its port unless that is the scheme's own. */
  host: string;
  /** The end of the link, epoch milliseconds. */
  expiresAt: number;
  origin: SessionOrigin;
}

/** What a signed request is judged by: the live session that its `keyid` names, and the key it has to be signed with. */
export type DeviceAuthentication =
  | {
      readonly ok: true;
      readonly session: RecognisedSession;
      readonly user: User;
      readonly deviceId: string;
      /** Base64url of the 32 bytes. */
      readonly publicKey: string;
    }
  | { readonly ok: false; readonly reason: RefusalReason };

/** What a client of a grant holds. */
export interface Tokens {
  readonly access: SessionToken;
  readonly refresh: SessionToken;
  /** Epoch milliseconds. */
  readonly accessExpiresAt: number;
}

export interface IssuedGrant {
  readonly session: Session;
  readonly tokens: Tokens;
}

/** Whether this client may refresh this grant now; throws what it is refused with. */
export type RefreshCheck = (session: RecognisedSession, user: User) => void;

/** What a refresh came to. `repeated`: the same pair once more; `reused`: the grant was ended for it. */
export type RefreshOutcome =
  | {
      readonly kind: 'refreshed' | 'repeated';
      readonly session: RecognisedSession;
      readonly tokens: Tokens;
    }
  | { readonly kind: 'reused'; readonly session: RecognisedSession }
  | { readonly kind: 'unknown' | 'ended' };

/** Who ends something, and why; it goes into the audit row. */
export interface EndingContext {
  reason: RevokeReason;
  actorUserId?: UserId | undefined;
  address?: string | undefined;
}

/** A guest link that ends. */
export interface EndedGuestLink {
  /** The session of the device. */
  parentId: SessionId;
  linkId: string;
  /** When it would have ended by itself, epoch milliseconds. */
  expiresAt: number;
}

/** A session at a provider that is over. */
export interface EndedProviderSession {
  provider: string;
  sid: string;
  /** Whose it was, where that is known. */
  userId: UserId | undefined;
}

/** Ending everything of a user. */
export interface EndAllContext extends EndingContext {
  /** This session and its descendants stay. */
  except?: SessionId | undefined;
  /** Device sessions too. */
  devices?: boolean | undefined;
  /** Only what began until then (epoch milliseconds), for an end that is committed later than it was asked for. */
  begunBefore?: number;
}

/** Deletes what ended sessions had begun and not finished (tickets, attempts, codes), in the transaction that ends them. */
export type VoidDependents = (tx: Tx, ended: readonly SessionId[], reason: RevokeReason) => void;

/** What a write is about to end; `context` is what the audit will say where an outage makes it end later. */
export type EndingTarget = { context?: EndingContext } & (
  | { session: SessionId }
  | { user: UserId; except?: SessionId | undefined; devices?: boolean | undefined }
);

/**
 * The ledger: the one place where sessions begin, are recognised and end.
 * `tx` methods belong into the caller's `db.write`, so that one act is one transaction.
 */
export interface Ledger {
  /**
   * Who a token of one use speaks for at one audience. Synchronous when memory or the embedded store can answer.
   * Recognising a session touches it.
   * @throws AppError `unavailable` (`store_unavailable`, `clock_behind`) when nobody can tell.
   */
  authenticate(
    token: string,
    use: CredentialUse,
    audience: Audience,
  ): Authentication | Promise<Authentication>;

  /**
   * The live session of a device by its id, for a request that its key signed: the signature is for the caller to check.
   * Synchronous as `authenticate`, and throws as it does; it touches nothing, because ids are no secrets.
   */
  recogniseDevice(id: SessionId): DeviceAuthentication | Promise<DeviceAuthentication>;
  /** A request of this device session proved to be signed by its key: that touches the session. */
  deviceSigned(id: SessionId): void;

  /** @throws AppError `forbidden` (`user_disabled`) unless the person may hold sessions. */
  openBrowserSession(tx: Tx, request: NewBrowserSession): Issued;
  /** @throws AppError `unauthorized` (`session_ended`) unless the parent is live. */
  openChildSession(tx: Tx, request: NewChildSession): Issued;
  /** @throws AppError `unauthorized` (`session_ended`) unless the issuing session is live. */
  openPersonalToken(tx: Tx, request: NewPersonalToken): Issued;
  /** @throws AppError `unauthorized` (`session_ended`) unless the issuing session is live. */
  openGrant(tx: Tx, request: NewGrant): IssuedGrant;
  /**
   * The session of a device that was just paired.
   * @throws AppError `unauthorized` (`session_ended`) unless the issuing session is live, `forbidden` (`user_disabled`).
   */
  openDevice(tx: Tx, request: NewDeviceSession): Issued;
  /** A new token for a device; the one before is good no more. @throws AppError `unauthorized` (`session_ended`), `forbidden` (`not_a_device`). */
  replaceDeviceToken(tx: Tx, id: SessionId): SessionToken;
  /**
   * Requests have to be signed with this key from now on; what was opened with the one before is closed, as `replaced`.
   * @throws AppError as `replaceDeviceToken`.
   */
  changeDeviceKey(tx: Tx, id: SessionId, publicKey: string): void;
  /** What the session is shown as. */
  renameDevice(tx: Tx, id: SessionId, label: string): void;
  /**
   * A browser session at one host of a device, for who came with a guest link; it ends with the device.
   * @throws AppError `unauthorized` (`session_ended`), `forbidden` (`not_a_device`, `user_disabled`).
   */
  openGuestSession(tx: Tx, request: NewGuestSession): Issued;
  /** Counts as a use that no request tells of, a heartbeat; how often is for the caller to bound. */
  touch(id: SessionId): void;
  /**
   * Replaces the tokens of a grant; the session stays. Whoever presents the same token again within the repeat window gets
   * the same pair, until the new refresh token is used; after that the grant ends. `check` runs first, and what it throws changes nothing.
   */
  refreshGrant(tx: Tx, refreshToken: string, check: RefreshCheck): RefreshOutcome;
  /** What an access or refresh token of a grant stands for in the store, whether or not it is still good. */
  findGrant(token: string): FoundCredential | undefined;
  /** Whether a credential that the store found grants anything now. */
  isGood(found: FoundCredential): boolean;
  /** The session, re-read inside the transaction. @throws AppError `unauthorized` (`session_ended`) unless it is live. */
  requireLive(tx: Tx, id: SessionId): Session;

  /** Ends one session and its descendants; resolves once that is committed. `false`: there was no such live session. */
  end(id: SessionId, context: EndingContext): Promise<boolean>;
  /** Ends the sessions of one user ("everywhere"), but for `except` and its descendants; resolves with how many ended. */
  endAll(userId: UserId, context: EndAllContext): Promise<number>;
  /** The same two acts inside a larger transaction. */
  endIn(tx: Tx, id: SessionId, context: EndingContext): boolean;
  endAllIn(tx: Tx, userId: UserId, context: EndAllContext): number;
  /** Ends every session that came from a guest link; returns how many were found. What begins with it later is not meant. */
  endGuestsIn(tx: Tx, link: EndedGuestLink, context: EndingContext): number;
  /** The same of a session at a provider (`sid`). */
  endProviderSessionIn(tx: Tx, session: EndedProviderSession, context: EndingContext): number;
  /** Called by the features at start: what they void when sessions end. */
  whenEnding(voidDependents: VoidDependents): void;

  /**
   * Runs a write whose point is to end sessions. When the store cannot take it, this process refuses them from now on
   * all the same, and goes on trying; the outage is thrown to the caller.
   */
  writeEnding<T>(targets: readonly EndingTarget[], job: (tx: Tx) => T): Promise<T>;

  /**
   * Live sessions of a user, newest use first; touches that are not written yet included.
   * @throws AppError `unavailable`, as the other reads do.
   */
  list(userId: UserId): Promise<Session[]>;
  find(id: SessionId): Promise<Session | undefined>;
  /** Browser sessions that came from this provider session (`sid`) and that nobody ended. */
  findByProviderSid(provider: string, sid: string): Promise<Session[]>;
  /** `find`, read inside the transaction. */
  findIn(tx: Tx, id: SessionId): Session | undefined;

  /**
   * What the database holds wherever browser sessions are kept, so that nobody has to wait for it: live grants and device
   * sessions of a user, newest use first.
   */
  listDurable(userId: UserId): Session[];
  /** A grant or a device session, or a session of any kind that was revoked and not reaped since. */
  findDurable(id: SessionId): Session | undefined;
  /** When a grant or a device session was last used, epoch milliseconds; touches that are not written yet included. */
  lastSeenAt(id: SessionId): number | undefined;

  /**
   * Tells other processes, once `tx` is committed, that what stands behind these sessions has changed: whoever runs something for
   * one of them hears of it as a change of the session. Nothing without Redis.
   */
  announceChanged(tx: Tx, sessions: readonly Session[]): void;

  /** Called by `users` in each write that changes a person: cached copies are read again after it, by every process. */
  userChanged(tx: Tx, userId: UserId): void;

  /**
   * Registers something that lives only as long as the session does (a stream, a WebSocket, a child, a tunnel).
   * `close` is called once when the session is revoked or runs out; disposing unregisters it. What was opened with the key of
   * a device (`publicKey`, base64url) is closed as `replaced` when the device has another.
   */
  attach(id: SessionId, close: (reason: RevokeReason | 'expired') => void, publicKey?: string): Disposable;
}
