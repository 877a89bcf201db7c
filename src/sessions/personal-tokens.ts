import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Actor, UserId } from '../users/model.ts';
import { type ApiScope, hostAudience, type ReachTarget, reachAudience, scopeAudience } from './audience.ts';
import { PERSONAL_CLIENT_ID } from './issuing.ts';
import type { Issued, Ledger } from './ledger.ts';
import type { Session, SessionId } from './model.ts';

export interface PersonalTokensDeps {
  db: Db;
  ledger: Ledger;
  audit: AuditRecorder;
  clock: Clock;
  maxLifetimeMs: number;
  /** Whether a rule of forward-auth names this host. */
  isProtectedHost: (host: string) => boolean;
  /** The service of a device that somebody names, by its id or handle; `undefined` unless they may reach it. */
  findReach: (userId: UserId, device: string, service: string) => ReachTarget | undefined;
}

/** A service of a device, as somebody names it. */
export interface NamedReach {
  /** Id or handle. */
  readonly device: string;
  readonly service: string;
}

export interface PersonalTokenRequest {
  label: string;
  hosts: readonly string[];
  scopes: readonly ApiScope[];
  reach: readonly NamedReach[];
  lifetimeMs: number;
}

/** Live tokens of one person: their list is read whole, and nobody may make that slow for everybody. */
const MAX_TOKENS = 200;

export type PersonalTokens = ReturnType<typeof personalTokens>;

/** Tokens that a person makes for their own programs: grants of the built-in client, each good at what was chosen. */
export function personalTokens({
  db,
  ledger,
  audit,
  clock,
  maxLifetimeMs,
  isProtectedHost,
  findReach,
}: PersonalTokensDeps) {
  const reachOf = (userId: UserId | undefined, { device, service }: NamedReach) => {
    const found = userId && findReach(userId, device, service);
    if (found !== undefined) return reachAudience(found.deviceId, found.service);
    throw new AppError(
      'unprocessable',
      'device_out_of_reach',
      'One of the devices is none that you may reach.',
    );
  };

  const audienceOf = ({ hosts, scopes, reach }: PersonalTokenRequest, userId: UserId | undefined) => {
    const lowerCase = new Set(hosts.map((host) => host.toLowerCase()));
    if (![...lowerCase].every(isProtectedHost)) {
      throw new AppError(
        'unprocessable',
        'unknown_host',
        'One of the hosts is not protected by this appliance.',
      );
    }
    const audience = [
      ...[...lowerCase].map(hostAudience),
      ...new Set(scopes.map(scopeAudience)),
      ...new Set(reach.map((named) => reachOf(userId, named))),
    ];
    if (audience.length === 0) {
      throw new AppError('unprocessable', 'no_audience', 'Choose at least one host, scope or device.');
    }
    return audience;
  };

  const requireLifetime = (lifetimeMs: number) => {
    if (lifetimeMs <= maxLifetimeMs) return;
    const days = Math.floor(maxLifetimeMs / 86_400_000);
    const limit = days > 0 ? `${days} days` : `${Math.floor(maxLifetimeMs / 1_000)} seconds`;
    throw new AppError('unprocessable', 'lifetime_too_long', `A personal token lives at most ${limit}.`);
  };

  const requireRoom = (userId: UserId | undefined) => {
    if (userId === undefined || ledger.listDurable(userId).filter(isPersonal).length < MAX_TOKENS) return;
    throw new AppError(
      'unprocessable',
      'too_many_tokens',
      `One person has at most ${MAX_TOKENS} live tokens; revoke one that is not needed any more.`,
    );
  };

  return {
    /**
     * Makes a token for whom `issuedBy` belongs to; the secret is in the answer and nowhere else.
     * @throws AppError `unprocessable` (`unknown_host`, `device_out_of_reach`, `no_audience`, `lifetime_too_long`, `too_many_tokens`),
     * `unauthorized` (`session_ended`) when the browser session that asks ended meanwhile.
     */
    async create(issuedBy: SessionId, request: PersonalTokenRequest, by: Actor): Promise<Issued> {
      const audience = audienceOf(request, by.userId);
      requireLifetime(request.lifetimeMs);
      return db.write((tx) => {
        requireRoom(by.userId);
        const now = clock.now();
        const issued = ledger.openPersonalToken(tx, {
          issuedBy,
          label: request.label,
          audience,
          expiresAt: now + request.lifetimeMs,
          origin: {
            provider: undefined,
            providerSid: undefined,
            address: by.address,
            userAgent: by.userAgent,
          },
        });
        audit.record(tx, {
          at: now,
          action: 'token.created',
          outcome: 'success',
          actorUserId: by.userId,
          sessionId: issued.session.id,
          address: by.address,
          userAgent: by.userAgent,
          detail: { audience: audience.join(' '), issued_by: issuedBy },
        });
        return issued;
      });
    },

    /** Live tokens of a person, newest use first. */
    list: (userId: UserId): Session[] => ledger.listDurable(userId).filter(isPersonal),

    /** `false`: this person has no such live token. */
    async revoke(id: SessionId, by: Actor & { userId: UserId }): Promise<boolean> {
      const token = ledger.findDurable(id);
      if (token === undefined || token.userId !== by.userId || !isPersonal(token)) return false;
      return ledger.end(id, { reason: 'ended_by_user', actorUserId: by.userId, address: by.address });
    },
  };
}

function isPersonal({ kind, clientId }: Session): boolean {
  return kind === 'grant' && clientId === PERSONAL_CLIENT_ID;
}
