import type { ConnectedApps } from './authorization-server/connected-apps.ts';
import { authorizeRoutes } from './authorization-server/routes.ts';
import type { Config } from './config/schema.ts';
import { tunnelActs } from './devices/tunnel-acts.ts';
import { mountApi } from './http/api-mount.ts';
import { cookieName } from './http/cookies.ts';
import { newRouter, type Router } from './http/router.ts';
import { buildInfo } from './lib/build-info.ts';
import type { OpenServices } from './services.ts';
import type { SessionEventStreams } from './sessions/events-streams.ts';
import { personalTokens } from './sessions/personal-tokens.ts';
import { attemptCookies } from './sign-in/guard.ts';
import { signInRoutes } from './sign-in/routes.ts';
import { backchannelRoutes } from './sign-in/routes-backchannel.ts';
import { signOutRoutes } from './sign-in/routes-sign-out.ts';
import { linkCallbacks } from './upstream/routes.ts';
import { apiRoutes } from './web/api-routes.ts';
import { webRoutes } from './web/routes.ts';
import { typedCodes } from './web/typed-codes.ts';

export interface AppRoutesDeps {
  config: Config;
  services: OpenServices;
  streams: SessionEventStreams;
  connectedApps: ConnectedApps;
}

/** Addresses that a limit of requests remembers. */
const MAX_LIMITED_ADDRESSES = 50_000;

/**
 * Pages for people, `/api/v1`, the ways in and out: all that is no native route. This file and what only it imports is loaded
 * with the first request for any of it (`startServer`): an appliance that proxies and programs ask never needs it.
 */
export function appRouter(deps: AppRoutesDeps): Router {
  const { config, services, streams, connectedApps } = deps;
  const { forwardAuth, deviceReach, authorizationServer, origin } = services;
  const tokens = tokensOf(deps);
  const router = newRouter();
  forwardAuth.addRoutes(router);
  deviceReach.addRoutes(router);
  addPages(router, deps, tokens);
  addSignIn(router, deps);
  authorizeRoutes(router, authorizationServer.authorizing);
  mountApi(router, {
    routes: apiRoutes({ ...services, streams, connectedApps, tokens }),
    maxBodyBytes: config.http.max_body_bytes,
    origin: origin.origin,
    cookie: cookieName(origin),
    version: buildInfo.version,
  });
  return router;
}

function addPages(
  router: Router,
  { config, services, connectedApps }: AppRoutesDeps,
  tokens: ReturnType<typeof tokensOf>,
): void {
  const { signIn, forwardAuth, deviceReach, devices } = services;
  const { deviceRequests } = services.authorizationServer;
  webRoutes(router, {
    ...services,
    ...shared(config, services),
    providers: signIn.providers.all,
    signIns: signIn.service,
    attemptCookies: attemptCookies(services.origin),
    connectedApps,
    tokens,
    deviceRequests,
    typedCodes: typedCodes({
      ...services,
      config: config.authorization_server,
      programs: deviceRequests,
      joins: devices.joins,
    }),
    tunnelActs: tunnelActs(services),
    protectedHosts: forwardAuth.protectedHosts,
    appsOf: forwardAuth.appsOf,
    deviceHandle: (id) => deviceReach.findDevice(id)?.handle,
    tokenMaxLifetimeMs: config.sessions.personal_max_lifetime,
  });
}

/** Sign-in through providers, and every way out. */
function addSignIn(router: Router, { config, services }: AppRoutesDeps): void {
  const { origin, guard, signIn, upstream, limiter } = services;
  const cookies = attemptCookies(origin);
  const { begun_per_address, attempts_window } = config.sign_in;
  const perAddress = (name: string) =>
    limiter({ name, limit: begun_per_address, windowMs: attempts_window, maxKeys: MAX_LIMITED_ADDRESSES });
  signInRoutes(router, {
    ...shared(config, services),
    service: signIn.service,
    cookies,
    otherCallbacks: linkCallbacks({
      linking: upstream.linking,
      guard,
      cookies,
      linkUrl: (provider, returnTo) => upstream.tokens.linkUrl(provider, returnTo),
    }),
    limits: { begun: perAddress('sign-ins begun'), completed: perAddress('sign-ins completed') },
  });
  signOutRoutes(router, { ...shared(config, services), ...signIn, cookies });
  backchannelRoutes(router, {
    logout: signIn.backchannelLogout,
    auditLimit: perAddress('logout tokens refused'),
  });
}

/** Where a browser goes, and for how long its cookie lives. */
const shared = ({ sign_in, sessions }: Config, { origin, guard, forwardAuth }: OpenServices) => ({
  origin,
  guard,
  landing: sign_in.landing,
  isReturnTarget: forwardAuth.protectedReturnTo,
  absoluteLifetimeMs: sessions.absolute_lifetime,
});

function tokensOf({ config, services }: AppRoutesDeps) {
  const { db, ledger, audit, clock, forwardAuth, deviceReach } = services;
  return personalTokens({
    db,
    ledger,
    audit,
    clock,
    maxLifetimeMs: config.sessions.personal_max_lifetime,
    isProtectedHost: forwardAuth.isProtectedHost,
    findReach: deviceReach.findReach,
  });
}
