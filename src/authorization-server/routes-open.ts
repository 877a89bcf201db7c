import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { addressKey } from '../http/rate-limit.ts';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import type { OpenLimiter } from '../lib/limiter.ts';
import type { Metrics } from '../lib/metrics.ts';
import { pollPace } from '../lib/poll-pace.ts';
import { fetchUntrusted } from '../lib/safe-fetch.ts';
import { typedCodeHashes } from '../lib/typed-code.ts';
import type { SessionGuard } from '../sessions/guard.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import type { User, UserId } from '../users/model.ts';
import { authorizations } from './authorizations.ts';
import { clientDocuments, type FetchDocument } from './client-id-document.ts';
import { oauthClients } from './clients.ts';
import { type ConnectedApps, connectedApps, isConnected, type RunningChild } from './connected-apps.ts';
import { consents } from './consent.ts';
import { DOCUMENT_MAX_BYTES, DOCUMENT_TIMEOUT_MS } from './constants.ts';
import { deviceRequests } from './device-requests.ts';
import { codeGrant } from './grant-authorization-code.ts';
import { deviceCodeGrant } from './grant-device-code.ts';
import { refreshGrant } from './grant-refresh-token.ts';
import { introspection } from './introspection.ts';
import { oauthCounts } from './metrics.ts';
import type { ProtectedResource } from './model.ts';
import { registration } from './registration.ts';
import { clientStore } from './store-clients.ts';
import { codeStore } from './store-codes.ts';
import { deviceRequestStore } from './store-device-requests.ts';
import { requestStore } from './store-requests.ts';

export interface AuthorizationServerDeps {
  config: Config['authorization_server'];
  origin: PublicOrigin;
  db: Db;
  ring: KeyRing;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ledger: Ledger;
  guard: Pick<SessionGuard, 'optionalBrowserSession' | 'browserSession'>;
  audit: AuditRecorder;
  metrics: Metrics;
  limiter: OpenLimiter;
  findUser: (id: UserId) => User | undefined;
  resources: () => readonly ProtectedResource[];
  isLinked: (userId: UserId, provider: string) => boolean;
  linkUrl: (provider: string, returnTo: string) => string;
  /** Fetches client id metadata documents; tests bring their own internet. */
  fetchDocument?: FetchDocument | undefined;
}

/** Addresses, and people, that a limit remembers. */
const MAX_LIMITED = 10_000;

const USER_CODE = keyPurpose('oauth user code');

export type AuthorizationServer = ReturnType<typeof openAuthorizationServer>;

/** Puts the authorization server together; see DESIGN.md section 6 for what it promises. */
export function openAuthorizationServer(deps: AuthorizationServerDeps) {
  const { config, origin, db, ring, clock, ledger, guard, audit, resources } = deps;
  const counts = oauthCounts(deps.metrics);
  const codes = codeStore(db);
  const registered = clientStore(db);
  const requests = requestStore();
  const devices = deviceRequestStore(db);
  const limit = (name: string, perWindow: number) =>
    deps.limiter({ name, limit: perWindow, windowMs: config.limits_window, maxKeys: MAX_LIMITED });
  const privateUseSchemes = config.private_use_schemes;
  const documents = clientDocuments({
    fetchDocument: deps.fetchDocument ?? documentFetcher(clock),
    clock,
    lifetimeMs: config.document_lifetime,
    privateUseSchemes,
    limit: limit('oauth documents', config.documents_per_user),
    count: counts.document,
  });
  const clients = oauthClients({ configured: config.client, store: registered, documents });

  ledger.whenEnding((tx, ended) => {
    codes.voidOf(tx, ended);
    requests.voidOf(tx, ended);
    devices.voidOf(tx, ended);
  });
  const asking = deviceRequests({
    db,
    store: devices,
    clients,
    hashes: typedCodeHashes(ring, USER_CODE),
    ledger,
    audit,
    clock,
    counts,
    resources,
    limit: limit('oauth device requests', config.device_requests_per_address),
    addressKey,
    maxPending: config.device_requests,
    lifetimeMs: config.device_code_lifetime,
    waitMs: config.consent_lifetime,
  });
  const pace = pollPace({
    clock,
    intervalMs: config.device_poll_interval,
    maxKeys: config.device_requests,
  });

  return {
    /** What `authorizeRoutes` stands on. */
    authorizing: {
      issuer: origin.origin,
      guard,
      clients,
      consents: consents({ ring, clock, lifetimeMs: config.consent_lifetime }),
      authorizations: authorizations({
        db,
        codes,
        requests,
        clients: registered,
        ledger,
        audit,
        clock,
        codeLifetimeMs: config.code_lifetime,
        waitMs: config.consent_lifetime,
        clientLifetimeMs: config.client_lifetime,
      }),
      resources,
      isLinked: deps.isLinked,
      isConnected: (userId: UserId, clientId: string, resource: ProtectedResource) =>
        isConnected(ledger, userId, clientId, resource),
      linkUrl: deps.linkUrl,
      audit,
      clock,
      counts,
    },
    /** What the endpoints for programs stand on. */
    endpoints: {
      origin,
      clock,
      ledger,
      clients,
      counts,
      resources,
      redeem: codeGrant({ codes, ledger, audit, clock, resources, findUser: deps.findUser }),
      refresh: refreshGrant({ db, ledger, audit, clock, resources }),
      poll: deviceCodeGrant({
        store: devices,
        pace,
        ledger,
        audit,
        clock,
        resources,
        findUser: deps.findUser,
        isLinked: deps.isLinked,
      }),
      deviceRequests: asking,
      pollIntervalMs: config.device_poll_interval,
      withCodes: config.client.some(({ device_flow }) => device_flow),
      registration: registration({
        db,
        store: registered,
        audit,
        clock,
        limit: limit('oauth registrations', config.registrations_per_address),
        addressKey,
        maxClients: config.clients,
        unusedLifetimeMs: config.unused_client_lifetime,
        privateUseSchemes,
        count: counts.registration,
      }),
      servers: config.resource_server,
      introspect: introspection({ issuer: origin.origin, ledger, resources }),
    },
    /** What the page `/device` stands on. */
    deviceRequests: asking,
    /** Connected apps, with the processes that run for them. */
    connectedApps: (runningOf: (userId: UserId) => readonly RunningChild[] | undefined): ConnectedApps =>
      connectedApps({ ledger, codes, resources, runningOf }),
    reapTasks: [
      { name: 'oauth_codes', deleteExpired: (tx, now, most) => codes.deleteExpired(tx, now, most) },
      { name: 'oauth_requests', deleteExpired: (tx, now, most) => requests.deleteExpired(tx, now, most) },
      {
        name: 'oauth_device_requests',
        deleteExpired: (tx, now, most) => devices.deleteExpired(tx, now, most),
      },
      { name: 'oauth_clients', deleteExpired: (tx, now, most) => registered.deleteExpired(tx, now, most) },
    ] satisfies ReapTask[],
  };
}

function documentFetcher(clock: Clock): FetchDocument {
  return (url) =>
    fetchUntrusted(
      url,
      { accept: 'application/json', 'user-agent': 'Postern' },
      { clock, timeoutMs: DOCUMENT_TIMEOUT_MS, maxBytes: DOCUMENT_MAX_BYTES },
    );
}
