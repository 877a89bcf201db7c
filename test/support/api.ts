import type { RoleGuard } from '../../src/db/role-guard.ts';
import type { Hub } from '../../src/devices/hub.ts';
import type { OpenDevices } from '../../src/devices/open-devices.ts';
import { openReach } from '../../src/devices/routes-open-reach.ts';
import { mountApi } from '../../src/http/api-mount.ts';
import type { ApiRoute } from '../../src/http/api-route.ts';
import { cookieName } from '../../src/http/cookies.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import type { Router } from '../../src/http/router.ts';
import { toSessionEvent } from '../../src/sessions/dto-fields.ts';
import { type SessionEventStreams, sessionEventStreams } from '../../src/sessions/events-streams.ts';
import { type SessionGuard, sessionGuard } from '../../src/sessions/guard.ts';
import { droppedEvents } from '../../src/sessions/metrics.ts';
import type { SessionId, SessionToken } from '../../src/sessions/model.ts';
import { personalTokens } from '../../src/sessions/personal-tokens.ts';
import type { BackendNeeds } from '../../src/upstream/needs.ts';
import type { OpenUpstream } from '../../src/upstream/open-upstream.ts';
import type { UserId } from '../../src/users/model.ts';
import { apiRoutes } from '../../src/web/api-routes.ts';
import { apiContract, type OpenApiDocument } from './api-contract.ts';
import { testAuthorizationServer } from './authorization-server.ts';
import { TEST_RELAY_HOST, type TestDevicesOptions, testDevices } from './devices.ts';
import { temporaryServer } from './http-server.ts';
import { TEST_ORIGIN, type TemporaryLedger, type TemporaryLedgerOptions } from './ledger.ts';
import { type TemporaryAccounts, temporaryAccounts } from './local-accounts.ts';
import { hereOnly } from './roles.ts';
import { testUpstream } from './upstream.ts';

/** The one host that a rule of forward-auth names. */
export const PROTECTED_HOST = 'app.example.test';
const MAX_BODY_BYTES = 4_096;

const ORIGIN = parseOrigin(TEST_ORIGIN);
export const TEST_COOKIE = cookieName(ORIGIN);

export interface CallOptions {
  method?: string;
  /** The token of a browser session; the request then comes from a page of ours. */
  cookie?: SessionToken | undefined;
  bearer?: SessionToken | undefined;
  json?: unknown;
  body?: string | ReadableStream;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Something signed in: whose it is, and its secret. */
export interface SignedIn {
  userId: UserId;
  sessionId: SessionId;
  token: SessionToken;
}

export interface TemporaryApi extends AsyncDisposable {
  base: TemporaryLedger;
  accounts: TemporaryAccounts;
  upstream: OpenUpstream;
  devices: OpenDevices;
  hub: Hub;
  routes: readonly ApiRoute[];
  streams: SessionEventStreams;
  guard: SessionGuard;
  port: number;
  router: Router;
  /** Sends a real request; an answer that `/openapi.json` does not describe is an error. */
  call(path: string, options?: CallOptions): Promise<Response>;
  /** A new person, or another session of one. */
  signIn(userId?: UserId): Promise<SignedIn>;
  signInOwner(): Promise<SignedIn>;
  /** A personal token, made over the API. */
  makeToken(by: SignedIn, token?: Record<string, unknown>): Promise<SignedIn>;
}

export interface TemporaryApiOptions extends TemporaryLedgerOptions {
  maxStreamsPerUser?: number;
  /** MCP backends, and what they want of people. */
  backends?: readonly BackendNeeds[];
  devices?: TestDevicesOptions;
  /** By default the tunnels are here. */
  hubRole?: RoleGuard;
}

/** The whole of `/api/v1` behind the real server, over a ledger of its own. */
export function temporaryApi({
  maxStreamsPerUser = 5,
  backends = [],
  ...options
}: TemporaryApiOptions = {}): TemporaryApi {
  const accounts = temporaryAccounts(options);
  const { base, people, local } = accounts;
  const { ledger, db, audit, clock, config } = base;
  const guard = sessionGuard({ ledger, origin: ORIGIN, audit, clock });
  const streams = sessionEventStreams({
    ledger,
    events: ledger.events,
    describe: toSessionEvent,
    maxStreamsPerUser,
    tooSlow: droppedEvents(base.metrics, 'reader_too_slow'),
  });
  const devices = testDevices(base, { ...options.devices, maxBodyBytes: MAX_BODY_BYTES });
  const tokens = personalTokens({
    db,
    ledger,
    audit,
    clock,
    maxLifetimeMs: config.sessions.personal_max_lifetime,
    isProtectedHost: (host) => host === PROTECTED_HOST,
    findReach: devices.deviceReach.findReach,
  });
  const upstream = testUpstream(accounts, { backends });
  const routes = apiRoutes({
    origin: ORIGIN,
    guard,
    ledger,
    streams,
    tokens,
    people,
    invitations: local.invitations,
    auditStore: base.auditStore,
    upstream,
    connectedApps: testAuthorizationServer(base).connectedApps(() => []),
    ...devices,
    hubRole: options.hubRole ?? hereOnly,
    audit,
    clock,
  });
  const described = { routes, origin: TEST_ORIGIN, cookie: TEST_COOKIE, version: '1.2.3' };
  let router: Router | undefined;
  const reach = openReach({
    ...devices,
    hubRole: options.hubRole ?? hereOnly,
    config: { ...config.devices, ...options.devices?.config },
    origin: ORIGIN,
    clock,
    ledger,
    audit,
  });
  const server = temporaryServer(
    (added) => {
      router = added;
      mountApi(added, { ...described, maxBodyBytes: MAX_BODY_BYTES });
    },
    {
      origin: ORIGIN,
      relayRoutes: reach.tunnelRoutes,
      relayHost: TEST_RELAY_HOST,
      ownRoutes: reach.pathRoutes,
      otherHosts: reach.otherHosts,
      limits: {
        maxBodyBytes: MAX_BODY_BYTES,
        maxOwnBodyBytes: config.devices.max_request_bytes,
        headTimeoutMs: 10_000,
        drainTimeoutMs: 1_000,
        sockets: {
          maxMessageBytes: config.devices.max_message_bytes,
          maxBufferedBytes: config.devices.max_buffered_bytes,
        },
      },
      endOpenAnswers: () => {
        streams[Symbol.dispose]();
        reach.close();
      },
    },
  );
  if (router === undefined) throw new Error('the server added no routes');

  const document = JSON.parse(JSON.stringify(openApiDocument(described))) as OpenApiDocument;
  const check = apiContract(document);
  const call = async (
    path: string,
    { method = 'GET', cookie, bearer, json, body, headers, signal }: CallOptions = {},
  ) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      redirect: 'manual',
      ...(signal !== undefined && { signal }),
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body }),
      headers: {
        host: ORIGIN.host,
        ...(cookie !== undefined && { cookie: `${TEST_COOKIE}=${cookie}`, origin: TEST_ORIGIN }),
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    await check(method, path, response);
    return response;
  };

  const signIn = async (known?: UserId): Promise<SignedIn> => {
    const userId = known ?? (await base.addUser());
    const { session, token } = await base.signIn(userId);
    return { userId, sessionId: session.id, token };
  };

  return {
    base,
    accounts,
    upstream,
    devices: devices.devices,
    hub: devices.hub,
    routes,
    streams,
    guard,
    port: server.port,
    router,
    call,
    signIn,
    async signInOwner() {
      const userId = await base.addUser();
      await db.write((tx) => people.store.update(tx, userId, { role: 'owner' }));
      return signIn(userId);
    },
    async makeToken({ userId, token }, wanted = {}) {
      const json = { label: 'test', scopes: ['sessions:read'], expires_in: 3_600, ...wanted };
      const response = await call('/api/v1/tokens', { method: 'POST', cookie: token, json });
      const made = (await response.json()) as { token: { id: SessionId }; secret: SessionToken };
      return { userId, sessionId: made.token.id, token: made.secret };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await accounts[Symbol.asyncDispose]();
    },
  };
}
