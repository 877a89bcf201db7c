import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { PollPace } from '../lib/poll-pace.ts';
import { resourceAudience } from '../sessions/audience.ts';
import type { IssuedGrant, Ledger } from '../sessions/ledger.ts';
import type { Session, SessionId } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import type { User, UserId } from '../users/model.ts';
import { findResource } from './check-resource.ts';
import type { DeviceRequest, ProtectedResource } from './model.ts';
import type { DeviceRequestStore } from './store-device-requests.ts';
import { invalidGrant } from './token-errors.ts';

export interface DeviceGrantDeps {
  store: DeviceRequestStore;
  pace: PollPace;
  ledger: Pick<Ledger, 'openGrant' | 'endIn' | 'writeEnding'>;
  audit: AuditRecorder;
  clock: Clock;
  resources: () => readonly ProtectedResource[];
  findUser: (id: UserId) => User | undefined;
  isLinked: (userId: UserId, provider: string) => boolean;
}

/** What a program sends to ask for the answer (RFC 8628 section 3.4). */
export interface DeviceCodePoll {
  clientId: string;
  deviceCode: string | undefined;
  origin: Pick<Session['origin'], 'address' | 'userAgent'>;
}

type Redeemed = IssuedGrant | 'reused';

/** What was approved, and may still be given. */
interface Approved {
  readonly resource: ProtectedResource;
  readonly userId: UserId;
  readonly issuedBy: SessionId;
}

/**
 * The device code grant (RFC 8628 section 3.4 and 3.5). As with authorization codes, what it rested on is looked at again, a device code
 * gives one grant, and one that comes back ends it. A poll that finds nothing new writes nothing.
 */
export function deviceCodeGrant(deps: DeviceGrantDeps) {
  const { store, pace, ledger, audit, clock } = deps;

  /** The person may have lost what they consented to meanwhile. */
  const requireStillGood = (request: DeviceRequest): Approved => {
    const { resource: indicator, userId, issuedBy } = request;
    const resource = findResource(indicator ?? '', deps.resources());
    const user = userId === undefined ? undefined : deps.findUser(userId);
    if (resource === undefined || user?.status !== 'active' || !resource.mayUse(user)) throw accessDenied();
    if (issuedBy === undefined) throw accessDenied();
    return { resource, userId: user.id, issuedBy };
  };

  const wait = ({ hash }: DeviceRequest): never => {
    throw pace.isTooSoon(hash) ? slowDown() : pending();
  };

  /** An account that has to be linked first is waited for like the person: both happen elsewhere. */
  const requireAnswered = (request: DeviceRequest): void => {
    if (request.status === 'redeemed') return;
    if (request.status === 'denied') throw accessDenied();
    if (clock.now() >= request.expiresAt) throw expired();
    if (request.status === 'pending') wait(request);
    const { resource, userId } = requireStillGood(request);
    if (resource.provider !== undefined && !deps.isLinked(userId, resource.provider)) wait(request);
  };

  const note = (
    tx: Tx,
    action: 'oauth.granted' | 'oauth.code_reused',
    request: DeviceRequest,
    to?: Session,
  ) =>
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: action === 'oauth.granted' ? 'success' : 'refused',
      subjectUserId: request.userId,
      sessionId: to?.id ?? request.sessionId,
      address: to?.origin.address,
      userAgent: to?.origin.userAgent,
      detail: { client: request.clientId, flow: 'device', resource: request.resource ?? '' },
    });

  const redeem = (tx: Tx, hash: DeviceRequest['hash'], { origin }: DeviceCodePoll): Redeemed => {
    const request = store.read(tx, hash);
    if (request === undefined) throw invalidGrant();
    requireAnswered(request);
    if (request.status === 'redeemed') {
      if (request.sessionId !== undefined) ledger.endIn(tx, request.sessionId, { reason: 'code_reused' });
      note(tx, 'oauth.code_reused', request);
      return 'reused';
    }
    const { resource, issuedBy } = requireStillGood(request);
    const grant = ledger.openGrant(tx, {
      issuedBy,
      clientId: request.clientId,
      label: request.clientName,
      audience: resourceAudience(resource.resource),
      scope: resource.scope,
      origin: { provider: undefined, providerSid: undefined, ...origin },
    });
    store.redeem(tx, hash, grant.session.id);
    note(tx, 'oauth.granted', request, grant.session);
    return grant;
  };

  /**
   * @throws AppError `bad_request`: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`.
   */
  return (sent: DeviceCodePoll): Promise<Redeemed> => {
    if (sent.deviceCode === undefined) {
      throw new AppError('bad_request', 'invalid_request', 'device_code is missing');
    }
    const hash = hashToken(sent.deviceCode);
    const known = store.find(hash);
    if (known?.clientId !== sent.clientId) throw invalidGrant();
    requireAnswered(known);
    const context = { reason: 'code_reused' } as const;
    const ends = known.sessionId === undefined ? [] : [{ session: known.sessionId, context }];
    return ledger.writeEnding(ends, (tx) => redeem(tx, hash, sent)).catch(asDenied);
  };
}

/** The browser session that consented has ended: with it, its consent. */
function asDenied(error: unknown): never {
  throw error instanceof AppError && error.code === 'session_ended' ? accessDenied() : error;
}

const pending = () =>
  new AppError('bad_request', 'authorization_pending', 'the person has not answered yet; ask again');
const slowDown = () =>
  new AppError('bad_request', 'slow_down', 'asked too soon; wait 5 seconds longer from now on');
const accessDenied = () =>
  new AppError('bad_request', 'access_denied', 'the person said no, or took it back');
const expired = () => new AppError('bad_request', 'expired_token', 'nobody answered in time; begin again');
