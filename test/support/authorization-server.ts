import type { FetchDocument } from '../../src/authorization-server/client-id-document.ts';
import type { ProtectedResource } from '../../src/authorization-server/model.ts';
import { authorizeRoutes } from '../../src/authorization-server/routes.ts';
import { oauthRoutes } from '../../src/authorization-server/routes-native.ts';
import { openAuthorizationServer } from '../../src/authorization-server/routes-open.ts';
import { configSchema } from '../../src/config/schema.ts';
import { cookieName } from '../../src/http/cookies.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { localLimiter } from '../../src/http/rate-limit.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { sessionGuard } from '../../src/sessions/guard.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import type { UserId } from '../../src/users/model.ts';
import { userStore } from '../../src/users/store.ts';
import { temporaryServer } from './http-server.ts';
import {
  TEST_ORIGIN,
  TEST_SECRET,
  type TemporaryLedger,
  type TemporaryLedgerOptions,
  temporaryLedger,
} from './ledger.ts';

const ORIGIN = parseOrigin(TEST_ORIGIN);

/** A backend that everybody may use. */
export function testResource(name: string, changes: Partial<ProtectedResource> = {}): ProtectedResource {
  return {
    name,
    resource: `${TEST_ORIGIN}/mcp/${name}`,
    scope: `mcp:${name}`,
    provider: undefined,
    mayUse: () => true,
    ...changes,
  };
}

export interface TestAuthorizationServerOptions {
  resources?: readonly ProtectedResource[];
  config?: Record<string, unknown>;
  isLinked?: (userId: UserId, provider: string) => boolean;
  fetchDocument?: FetchDocument;
}

/** The authorization server over a ledger of a test. */
export function testAuthorizationServer(
  base: TemporaryLedger,
  {
    resources = [testResource('files')],
    config = {},
    isLinked,
    fetchDocument,
  }: TestAuthorizationServerOptions = {},
) {
  const { ledger, db, audit, clock, metrics } = base;
  return openAuthorizationServer({
    config: configSchema.parse({ authorization_server: config }).authorization_server,
    origin: ORIGIN,
    db,
    ring: keyRing([TEST_SECRET]),
    clock,
    ledger,
    guard: sessionGuard({ ledger, origin: ORIGIN, audit, clock }),
    audit,
    metrics,
    limiter: (options) => localLimiter(clock, options),
    findUser: (id) => userStore(db).find(id),
    resources: () => resources,
    isLinked: isLinked ?? (() => false),
    linkUrl: (provider, returnTo) => `/account/links/${provider}?return_to=${encodeURIComponent(returnTo)}`,
    fetchDocument: fetchDocument ?? (() => Promise.reject(new Error('this test fetches no document'))),
  });
}

export interface OauthSite extends AsyncDisposable {
  readonly base: TemporaryLedger;
  readonly port: number;
  readonly server: ReturnType<typeof openAuthorizationServer>;
  /** A real request to the host of `url`; redirects are handed back. */
  fetch(path: string, init?: RequestInit & { session?: Issued | undefined }): Promise<Response>;
  /** A posted form, as a client or (with a session) a page sends it. */
  post(path: string, form: Readonly<Record<string, string>>, session?: Issued): Promise<Response>;
}

/** The endpoints and pages of the authorization server behind the real server. */
export function oauthSite(
  options: TestAuthorizationServerOptions & { ledger?: TemporaryLedgerOptions } = {},
): OauthSite {
  const base = temporaryLedger(options.ledger);
  const server = testAuthorizationServer(base, options);
  const listening = temporaryServer((router) => authorizeRoutes(router, server.authorizing), {
    origin: ORIGIN,
    ownRoutes: oauthRoutes(server),
  });
  const send = (
    path: string,
    { session, headers, ...init }: RequestInit & { session?: Issued | undefined } = {},
  ) => {
    const all = new Headers(headers);
    all.set('host', ORIGIN.host);
    if (session !== undefined) {
      all.set('cookie', `${cookieName(ORIGIN)}=${session.token}`);
      if (!all.has('origin')) all.set('origin', TEST_ORIGIN);
    }
    return fetch(`http://127.0.0.1:${listening.port}${path}`, { ...init, redirect: 'manual', headers: all });
  };
  return {
    base,
    port: listening.port,
    server,
    fetch: send,
    post: (path, form, session) => send(path, { method: 'POST', body: new URLSearchParams(form), session }),
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]();
      await base[Symbol.asyncDispose]();
    },
  };
}
