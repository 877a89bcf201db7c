import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import type { Router } from '../http/router.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { SessionGuard } from '../sessions/guard.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import type { User, UserId } from '../users/model.ts';
import { FINISH_PATH, START_PATH, TICKET_PATH } from './constants.ts';
import { flows } from './flows.ts';
import { forwardAuthGuard } from './guard.ts';
import { refusalNotes } from './guard-refusals.ts';
import { protectedSites, type SiteFinder, withOtherSites } from './guard-sites.ts';
import { finishRoute } from './routes-finish.ts';
import { startRoute } from './routes-start.ts';
import { ticketRoute } from './routes-ticket.ts';
import { compileRules, mayPassAll } from './rules.ts';
import { isPosternPath } from './start-url.ts';
import { ticketStore } from './store.ts';
import { hostTickets } from './tickets.ts';

export interface ForwardAuthDeps {
  config: Config['forward_auth'];
  /** The origin of `url`. */
  origin: PublicOrigin;
  db: Db;
  ring: KeyRing;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ledger: Pick<Ledger, 'authenticate' | 'requireLive' | 'openChildSession' | 'whenEnding'>;
  sessions: Pick<SessionGuard, 'optionalBrowserSession'>;
  audit: AuditRecorder;
  metrics: Metrics;
  /** What rules call the subjects of a person (`ruleSubjects`). */
  subjectsOf: (id: UserId) => readonly string[];
  /** Hosts of other features, to which people sign in by the same steps; no proxy asks about them. */
  otherSites?: SiteFinder | undefined;
}

export interface ForwardAuth {
  /** The checks, for proxies. */
  readonly nativeRoutes: NativeRoutes;
  /** How a browser gets a session of a protected host. */
  readonly addRoutes: (router: Router) => void;
  /** Every host behind a rule. */
  readonly protectedHosts: readonly string[];
  /** Origins of the hosts whose first page somebody may open. */
  readonly appsOf: (user: User) => string[];
  /** Whether a host (lower case, with its port unless that is the scheme's own) is behind a rule. */
  readonly isProtectedHost: (host: string) => boolean;
  /** Whether people may sign in to a host by the steps here: a protected one, or one of `otherSites`. */
  readonly isSiteHost: (host: string) => boolean;
  /** Whether sign-in may lead to this URL: a page of such a host. */
  readonly protectedReturnTo: (url: URL) => boolean;
  readonly reapTask: ReapTask;
}

/** Puts forward-auth together; see DESIGN.md section 4 for what it promises. */
export function openForwardAuth(deps: ForwardAuthDeps): ForwardAuth {
  const { config, origin, db, ring, clock, ledger, audit, subjectsOf } = deps;
  const protectedOnes = protectedSites(compileRules(config.rule, { secure: origin.secure, subjectsOf }));
  const sites = withOtherSites(protectedOnes, deps.otherSites);
  const store = ticketStore(db);
  const noteRefusal = refusalNotes({ audit, clock });
  const steps = {
    ...deps,
    sites,
    noteRefusal,
    flows: flows({ ring, clock, lifetimeMs: config.flow_lifetime }),
    tickets: hostTickets({ db, store, ledger, audit, clock, lifetimeMs: config.ticket_lifetime }),
    flowLifetimeMs: config.flow_lifetime,
  };
  return {
    nativeRoutes: forwardAuthGuard({ ...steps, sites: protectedOnes }),
    addRoutes: (router) => addHostSignIn(router, steps),
    protectedHosts: protectedOnes.all.map((site) => site.origin.host),
    appsOf: (user) =>
      protectedOnes.all
        .filter(({ rulesFor }) => mayPassAll(rulesFor('/'), user))
        .map((site) => site.origin.origin),
    isProtectedHost: (host) => protectedOnes.find(host) !== undefined,
    isSiteHost: (host) => sites.find(host) !== undefined,
    protectedReturnTo: ({ protocol, host, username, password, pathname }) => {
      const site = username === '' && password === '' ? sites.find(host) : undefined;
      return site !== undefined && site.origin.origin === `${protocol}//${host}` && !isPosternPath(pathname);
    },
    reapTask: {
      name: 'host_tickets',
      deleteExpired: (tx, now, limit) => store.deleteExpired(tx, now, limit),
    },
  };
}

type HostSignInDeps = Parameters<typeof startRoute>[0] &
  Parameters<typeof ticketRoute>[0] &
  Parameters<typeof finishRoute>[0];

/**
 * Start (on the protected host), ticket (on our own), finish (on the protected host).
 * Start and finish come through the proxy, which makes no check for them.
 */
function addHostSignIn(router: Router, deps: HostSignInDeps): void {
  const start = startRoute(deps);
  const ticket = ticketRoute(deps);
  const finish = finishRoute(deps);
  router
    .get(START_PATH, ({ request }) => start(request))
    .get(TICKET_PATH, ({ request }) => ticket(request))
    .get(FINISH_PATH, ({ request }) => finish(request));
}
