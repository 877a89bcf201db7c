import type { AuditAction } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Limiter } from '../lib/limiter.ts';
import { newSecret } from '../lib/random.ts';
import { newTypedCode, showTypedCode, type TypedCodeHashes } from '../lib/typed-code.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import type { Actor, User } from '../users/model.ts';
import { checkResource, findResource } from './check-resource.ts';
import { checkScope, parseScope } from './check-scope.ts';
import type { Clients } from './clients.ts';
import { stale } from './consent.ts';
import type { OauthCounts } from './metrics.ts';
import { AuthorizationError, type DeviceRequest, type OauthClient, type ProtectedResource } from './model.ts';
import type { DeviceRequestStore } from './store-device-requests.ts';
import { invalidClient } from './token-errors.ts';

export interface DeviceRequestsDeps {
  db: Db;
  store: DeviceRequestStore;
  clients: Pick<Clients, 'findKept'>;
  hashes: TypedCodeHashes;
  ledger: Pick<Ledger, 'requireLive'>;
  audit: AuditRecorder;
  clock: Clock;
  counts: Pick<OauthCounts, 'deviceRequest' | 'authorization'>;
  resources: () => readonly ProtectedResource[];
  /** Requests that one address may begin. */
  limit: Limiter;
  addressKey: (address: string) => string;
  maxPending: number;
  lifetimeMs: number;
  /** Time to link an account, and to fetch the answer, after consent. */
  waitMs: number;
}

/** What a program sends to begin (RFC 8628 section 3.1). */
export interface DeviceRequestSent {
  clientId: string;
  scope: string | undefined;
  resource: string | undefined;
  address: string;
}

/** What it is told (section 3.2). */
export interface BegunDeviceRequest {
  readonly deviceCode: string;
  /** As it is shown. */
  readonly userCode: string;
  readonly expiresAt: number;
}

/** A request as a person sees it before they answer. */
export interface AskingProgram {
  readonly request: DeviceRequest;
  readonly client: OauthClient;
  /** Those of the resources that this person may use: one of them is chosen. */
  readonly resources: readonly ProtectedResource[];
}

type By = Actor & { readonly sessionId: SessionId };

export type DeviceRequests = ReturnType<typeof deviceRequests>;

/**
 * Authorization of programs without a browser (RFC 8628): a program shows a code, a person types it here, sees what asks, and answers.
 */
export function deviceRequests(deps: DeviceRequestsDeps) {
  const { db, store, clients, hashes, clock, counts } = deps;

  const insert = (tx: Tx, request: DeviceRequest, userCodeHash: string) => {
    if (store.countPending(tx, request.createdAt) >= deps.maxPending) throw tooManyWait();
    store.insert(tx, request, { userCodeHash, reapAt: request.expiresAt + deps.lifetimeMs });
  };

  const note = (tx: Tx, action: AuditAction, { clientId }: DeviceRequest, by: By, resource?: string) =>
    deps.audit.record(tx, {
      at: clock.now(),
      action,
      outcome: action === 'oauth.denied' ? 'refused' : 'success',
      actorUserId: by.userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { client: clientId, flow: 'device', ...(resource !== undefined && { resource }) },
    });

  const begin = async (sent: DeviceRequestSent): Promise<BegunDeviceRequest> => {
    const client = clients.findKept(sent.clientId);
    if (client === undefined) throw invalidClient();
    if (client.mayShowCode !== true) throw unauthorizedClient();
    const resources = resourcesAsked(sent, deps.resources());
    const [deviceCode, userCode, now] = [newSecret(), newTypedCode(), clock.now()];
    const request: DeviceRequest = {
      hash: hashToken(deviceCode),
      clientId: client.id,
      clientName: client.name,
      resources: resources.map(({ resource }) => resource),
      address: sent.address,
      status: 'pending',
      userId: undefined,
      issuedBy: undefined,
      resource: undefined,
      scope: undefined,
      sessionId: undefined,
      createdAt: now,
      expiresAt: now + deps.lifetimeMs,
    };
    await db.write((tx) => insert(tx, request, hashes.of(userCode)));
    return { deviceCode, userCode: showTypedCode(userCode), expiresAt: request.expiresAt };
  };

  return {
    /**
     * Begins a request for a program.
     * @throws AppError `unauthorized` (`invalid_client`), `bad_request` (`unauthorized_client`, `invalid_scope`, `invalid_target`),
     * `too_many_requests` (`too_many_device_requests`), `unavailable` (`too_many_device_requests`).
     */
    async begin(sent: DeviceRequestSent): Promise<BegunDeviceRequest> {
      const allowance = await deps.limit.take(deps.addressKey(sent.address));
      if (!allowance.ok) {
        counts.deviceRequest('rate_limited');
        throw tooManyFromHere(allowance.retryAfterSeconds);
      }
      try {
        const begun = await begin(sent);
        counts.deviceRequest('begun');
        return begun;
      } catch (error) {
        counts.deviceRequest('refused');
        throw error;
      }
    },

    /** Who asks with this code; `undefined`: nobody does, or not any more, or for nothing that this person may use. */
    find(code: string, user: User): AskingProgram | undefined {
      const request = store.findByUserCode(hashes.candidates(code));
      if (request?.status !== 'pending' || clock.now() >= request.expiresAt) return undefined;
      const client = clients.findKept(request.clientId);
      const resources = request.resources.flatMap((indicator) => {
        const resource = findResource(indicator, deps.resources());
        return resource?.mayUse(user) === true ? [resource] : [];
      });
      return client === undefined || resources.length === 0 ? undefined : { request, client, resources };
    },

    /** Lets the program of an earlier `find` have it. @throws AppError `bad_request` (`stale_consent`), `unauthorized` (`session_ended`). */
    async approve({ request }: AskingProgram, { resource, scope }: ProtectedResource, by: By): Promise<void> {
      await db.write((tx) => {
        const { userId } = deps.ledger.requireLive(tx, by.sessionId);
        const now = clock.now();
        const expiresAt = Math.max(request.expiresAt, now + deps.waitMs);
        const reapAt = expiresAt + deps.lifetimeMs;
        const approval = { userId, issuedBy: by.sessionId, resource, scope, expiresAt, reapAt };
        if (!store.approve(tx, request.hash, now, approval)) throw stale();
        note(tx, 'oauth.consented', request, by, resource);
      });
      counts.authorization('granted');
    },

    /** @throws AppError `bad_request` (`stale_consent`). */
    async deny({ request }: AskingProgram, by: By): Promise<void> {
      await db.write((tx) => {
        if (!store.deny(tx, request.hash, clock.now())) throw stale();
        note(tx, 'oauth.denied', request, by);
      });
      counts.authorization('denied');
    },
  };
}

/** The checks of an authorization request, answered as this endpoint answers. */
function resourcesAsked({ scope, resource }: DeviceRequestSent, resources: readonly ProtectedResource[]) {
  try {
    const scopes = parseScope(scope);
    const candidates = checkResource(resource === undefined ? [] : [resource], scopes, resources);
    checkScope(scopes, candidates);
    return candidates;
  } catch (error) {
    throw error instanceof AuthorizationError
      ? new AppError('bad_request', error.code, error.message)
      : error;
  }
}

const unauthorizedClient = () =>
  new AppError(
    'bad_request',
    'unauthorized_client',
    'the client is not configured to show codes (device_flow)',
  );

const tooManyFromHere = (retryAfterSeconds: number) =>
  new AppError(
    'too_many_requests',
    'too_many_device_requests',
    'too many codes were asked for from this address; wait a moment',
    { retryAfterSeconds },
  );

const tooManyWait = () =>
  new AppError('unavailable', 'too_many_device_requests', 'too many codes wait for somebody; try later', {
    retryAfterSeconds: 60,
  });
