import { auditRecorder } from './audit/recorder.ts';
import { auditStore } from './audit/store.ts';
import { openAuthorizationServer } from './authorization-server/routes-open.ts';
import { prepareDataDirectory } from './config/data-directory.ts';
import type { Config } from './config/schema.ts';
import { nodeName, type Role } from './config/schema-node.ts';
import { loadKeyRing, rotateKeptSecret } from './config/secrets.ts';
import { databasePath } from './db/files.ts';
import { sharedLeadership, soleLeader } from './db/leader.ts';
import { type DataDirectoryLock, lockDataDirectory } from './db/lock.ts';
import { openDatabase } from './db/open.ts';
import { roleGuard } from './db/role-guard.ts';
import { onlySeat, type Seat, seatElsewhere, seatHere } from './db/seats.ts';
import { markedClock } from './db/time-mark.ts';
import { openDeviceAccess } from './devices/guard-access.ts';
import { openDeviceGuard } from './devices/guard-open.ts';
import { openDevices } from './devices/open-devices.ts';
import { openDeviceHub } from './devices/open-hub.ts';
import { openForwardAuth } from './forward-auth/routes.ts';
import { ruleSubjects } from './forward-auth/subjects.ts';
import { auditBudget } from './http/audit-budget.ts';
import { parseOrigin } from './http/origin.ts';
import { addressKey, localLimiter } from './http/rate-limit.ts';
import type { Clock } from './lib/clock.ts';
import { CommandError } from './lib/command-error.ts';
import type { OpenLimiter } from './lib/limiter.ts';
import type { Logger } from './lib/log.ts';
import { createMetrics } from './lib/metrics.ts';
import { compileBackends } from './mcp/backends.ts';
import { backendNeeds } from './mcp/needs.ts';
import { keys } from './ops/keys.ts';
import { loopMetrics } from './ops/loop-metrics.ts';
import { bringUpToDate } from './ops/up-to-date.ts';
import type { Sharing, SharingDeps } from './services-redis.ts';
import { sessionGuard } from './sessions/guard.ts';
import { openLedger } from './sessions/open-ledger.ts';
import { type ReapTask, reapExpired } from './sessions/reaper.ts';
import { openLocal } from './sign-in/open-local.ts';
import { openProviderSignIn } from './sign-in/open-provider-sign-in.ts';
import { needs } from './upstream/needs.ts';
import { openUpstream } from './upstream/open-upstream.ts';
import type { UserId } from './users/model.ts';
import { openPeople } from './users/open-people.ts';

export interface AppDeps {
  clock: Clock;
  log: Logger;
  /** Whether this process serves, so that it takes the roles that it is configured for: commands take none. */
  serves?: boolean;
}

/** In so many rounds every node has written what it noted, even one that was busy. */
const GRACE_ROUNDS = 6;

/**
 * Everything that stands on the data directory, without listeners and loops: what a command needs, and what `openApp` serves.
 * @throws DataDirectoryInUse while another process has the data directory; CommandError when it cannot be used.
 */
export async function openServices(config: Config, { clock: wallClock, log, serves = false }: AppDeps) {
  await using opening = new AsyncDisposableStack();
  prepareDataDirectory(config.data_dir, log);
  const isShared = config.redis.url !== undefined;
  const lock = opening.use(lockDataDirectory(config.data_dir, isShared ? 'shared' : 'exclusive'));
  const leadership = opening.use(isShared ? sharedLeadership(config.data_dir) : soleLeader);
  const seats = openSeats(config, { clock: wallClock, serves }, opening);
  const [brokerRole, hubRole] = [roleGuard('broker', seats.broker), roleGuard('hub', seats.hub)];
  const ring = loadKeyRing({ config, log });
  const metrics = createMetrics();
  const sharing = await shareIfAsked(config, { clock: wallClock, log, metrics });
  if (sharing !== undefined) opening.use(sharing);
  const path = databasePath(config.data_dir);
  bringUpToDate(path, { mayMigrate: config.database.auto_migrate, lock, log });
  const db = opening.use(
    openDatabase({
      path,
      clock: wallClock,
      busyTimeoutMs: config.database.busy_timeout,
      onHookError: (error) => log.error('something that was to follow a commit failed', { error }),
    }),
  );
  const clock = markedClock(wallClock, db.timeMark);
  const origin = parseOrigin(config.url);

  const audits = auditStore(db);
  const dropped = metrics.counter('postern_audit_dropped_total', 'Audit rows that were lost.');
  const audit = opening.use(auditRecorder({ db, store: audits, log, dropped, mayNote: auditBudget(clock) }));
  const ledger = opening.use(
    openLedger({
      db,
      ring,
      clock,
      audit,
      log,
      metrics,
      origin: origin.origin,
      config: config.sessions,
      elsewhere: await sharing?.sessions(clock),
    }),
  );
  await ledger.ready;
  const people = openPeople({ db, clock, audit, sessions: ledger });
  const limiter: OpenLimiter =
    sharing?.limiter({ ring, clock }) ?? ((options) => localLimiter(clock, options));
  const local = openLocal({
    db,
    clock,
    ring,
    audit,
    metrics,
    ledger,
    people,
    origin,
    config: config.sign_in,
    limiter,
    addressKey,
  });
  const providerNames = config.provider.map(({ name }) => name);
  const subjectsOf = (id: UserId) => ruleSubjects(people.store.identitiesOf(id), providerNames);
  const backends = compileBackends(config, { origin: origin.origin, subjectsOf });
  const upstreamNeeds = needs(backendNeeds(backends));
  const upstream = openUpstream({
    db,
    clock,
    log,
    ring,
    audit,
    metrics,
    ledger,
    users: people.store,
    config,
    origin: origin.origin,
    needs: upstreamNeeds,
    isShared,
  });
  opening.use(upstream);
  const signIn = openProviderSignIn({
    db,
    clock,
    ring,
    audit,
    metrics,
    log,
    ledger,
    people,
    local,
    origin: origin.origin,
    config,
    upstream: { providers: upstreamNeeds.providers, keepTokens: upstream.keepTokens },
    onRound: loopMetrics(metrics)('providers'),
  });
  opening.use(signIn);
  const guard = sessionGuard({ ledger, origin, audit, clock });
  const hub = openDeviceHub({ config: config.devices, ledger, audit, metrics, clock, log });
  const deviceGuard = openDeviceGuard({
    config: config.devices,
    db,
    ledger,
    origin,
    authorities: [...new Set([origin.host, relayHost(config)])],
    maxBodyBytes: config.http.max_body_bytes,
    audit,
    metrics,
    clock,
    shared: await sharing?.nonces(),
  });
  const devices = openDevices({
    config: config.devices,
    origin: origin.origin,
    db,
    ring,
    clock,
    ledger,
    audit,
    metrics,
    limiter,
    addressKey,
    isShared,
    isConnected: (id) => (hubRole.isHere ? hub.find(id)?.isOpen === true : undefined),
  });
  const deviceReach = openDeviceAccess({
    config: config.devices,
    origin,
    db,
    clock,
    ledger,
    audit,
    metrics,
    subjectsOf,
    directory: devices.devices,
    findUser: (id) => people.store.find(id),
  });
  const forwardAuth = openForwardAuth({
    config: config.forward_auth,
    origin,
    db,
    ring,
    clock,
    ledger,
    sessions: guard,
    audit,
    metrics,
    subjectsOf,
    otherSites: deviceReach.sites,
  });
  const authorizationServer = openAuthorizationServer({
    config: config.authorization_server,
    origin,
    db,
    ring,
    clock,
    ledger,
    guard,
    audit,
    metrics,
    limiter,
    findUser: (id) => people.store.find(id),
    resources: () => backends,
    isLinked: (userId, provider) => upstream.tokens.isLinked(userId, provider),
    linkUrl: (provider, returnTo) => upstream.tokens.linkUrl(provider, returnTo),
  });
  const tasks: ReapTask[] = [
    ledger.reapTask,
    ledger.groupsReapTask,
    ledger.outboxReapTask,
    ledger.credentialsReapTask,
    local.reapTask,
    ...signIn.reapTasks,
    upstream.reapTask,
    ...authorizationServer.reapTasks,
    forwardAuth.reapTask,
    deviceGuard.reapTask,
    devices.reapTask,
    devices.deliveries.reapTask,
    devices.joins.reapTask,
    deviceReach.reapTask,
    audits.reapTask(config.audit.retention),
  ];
  const rounds: (() => unknown)[] = [];
  // Others write the last uses that they noted within one of their own rounds.
  const graceMs = isShared ? GRACE_ROUNDS * config.sessions.touch_interval : 0;

  const opened = opening.move();
  return {
    db,
    clock,
    metrics,
    redis: sharing?.redis,
    origin,
    audit,
    auditStore: audits,
    ledger,
    people,
    local,
    invitations: local.invitations,
    signIn,
    upstream,
    backends,
    ring,
    leadership,
    seats,
    brokerRole,
    hubRole,
    node: nodeName(config),
    guard,
    deviceGuard,
    hub,
    devices,
    deviceReach,
    authorizationServer,
    forwardAuth,
    limiter,
    keys: keys({
      db,
      clock,
      audit,
      changeSecret: () => changeSecret(lock, serves, () => rotateKeptSecret(ring, config)),
      tasks: [
        ...upstream.resealTasks,
        { name: 'session_id_tokens', reseal: (tx) => signIn.resealIdTokens(tx) },
      ],
    }),
    reap: async (signal?: AbortSignal) => {
      for (const round of rounds) await round();
      return reapExpired({ db, clock, tasks, flush: () => ledger.flush(), graceMs }, signal);
    },
    /** What a round of the reaper does besides, while the appliance serves. */
    whenReaping(round: () => unknown, task: ReapTask): void {
      rounds.push(round);
      tasks.push(task);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export type OpenServices = Awaited<ReturnType<typeof openServices>>;

/** Where each role is done. @throws RoleTaken when it is to be here, and another process has it. */
function openSeats(
  config: Config,
  { clock, serves }: { clock: Clock; serves: boolean },
  opening: AsyncDisposableStack,
): Readonly<Record<Role, Seat>> {
  const deps = { dataDir: config.data_dir, node: nodeName(config), clock };
  const seatOf = (role: Role): Seat => {
    if (config.redis.url === undefined) return onlySeat(deps);
    return serves && config.roles.includes(role) ? seatHere(role, deps) : seatElsewhere(role, deps);
  };
  return { broker: opening.use(seatOf('broker')), hub: opening.use(seatOf('hub')) };
}

/** Where devices dial. */
export const relayHost = ({ url, devices }: Config): string => new URL(devices.relay_url ?? url).host;

/** Without `redis.url` nothing of Redis is loaded. @throws CommandError when it is asked for and cannot be used. */
async function shareIfAsked(config: Config, deps: SharingDeps): Promise<Sharing | undefined> {
  if (config.redis.url === undefined) return undefined;
  return (await import('./services-redis.ts')).shareOverRedis(config, deps);
}

/**
 * Where several processes share the directory, each goes by the secret of its start, and could not read what one with another
 * secret has sealed: then it is changed while none serves.
 */
function changeSecret(lock: DataDirectoryLock, serves: boolean, change: () => void): void {
  const because =
    'with Redis the secret is changed while no server runs: end every node, run this, start them again';
  if (lock.mode === 'shared' && serves) throw new CommandError(because);
  lock.alone(because, change);
}
