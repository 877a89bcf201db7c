import type { AuditRecorder } from '../audit/recorder.ts';
import type { DevicesConfig } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import { refusalNotes } from '../forward-auth/guard-refusals.ts';
import type { SiteFinder } from '../forward-auth/guard-sites.ts';
import type { PublicOrigin } from '../http/origin.ts';
import type { OtherHosts } from '../http/other-hosts.ts';
import type { Router } from '../http/router.ts';
import type { Clock } from '../lib/clock.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { ReachTarget } from '../sessions/audience.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SubjectsOf } from '../users/allow.ts';
import type { User, UserId } from '../users/model.ts';
import { deviceAccess } from './access.ts';
import { deviceHostNames } from './access-hosts.ts';
import type { DeviceDirectory } from './directory.ts';
import { deviceHostGuard, type Relay } from './guard-host.ts';
import { deviceSites } from './guard-sites.ts';
import { guestLinks } from './guest-links.ts';
import { reachOutcomes } from './metrics-access.ts';
import { type Device, isDeviceId } from './model.ts';
import { guestRoutes } from './routes-guest.ts';
import { guestLinkStore } from './store-guest-links.ts';

export interface DeviceAccessOpenDeps {
  config: Pick<DevicesConfig, 'base' | 'rule' | 'guest_link_max_lifetime' | 'guest_links_per_device'>;
  /** The origin of `url`. */
  origin: PublicOrigin;
  db: Db;
  clock: Clock;
  ledger: Ledger;
  audit: AuditRecorder;
  metrics: Metrics;
  subjectsOf: SubjectsOf;
  directory: Pick<DeviceDirectory, 'find' | 'findByHandle'>;
  findUser: (id: UserId) => User | undefined;
}

export type OpenDeviceAccess = ReturnType<typeof openDeviceAccess>;

/** Puts together how devices are reached: by whom, at which hosts, and through which links. */
export function openDeviceAccess(deps: DeviceAccessOpenDeps) {
  const { config, origin, db, clock, ledger, audit, metrics, directory, findUser } = deps;
  const access = deviceAccess({ rules: config.rule, subjectsOf: deps.subjectsOf });
  const hosts = config.base === undefined ? undefined : deviceHostNames(config.base);
  const links = guestLinks({
    db,
    store: guestLinkStore(db),
    ledger,
    audit,
    clock,
    hosts,
    secure: origin.secure,
    maxLifetimeMs: config.guest_link_max_lifetime,
    maxPerDevice: config.guest_links_per_device,
  });
  const findByHandle = (handle: string) => directory.findByHandle(handle);
  const sites = hosts && deviceSites({ hosts, secure: origin.secure, access, findByHandle });
  const noteRefusal = refusalNotes({ audit, clock });

  return {
    mayReach: access.mayReach,
    links,
    /** Hosts to which people sign in by the steps of forward-auth; `undefined` where devices have none. */
    sites: sites as SiteFinder | undefined,
    findDevice: (id: string): Device | undefined => (isDeviceId(id) ? directory.find(id) : undefined),

    findByHandle,

    /** The host of a service, `undefined` where devices have none. */
    hostOf: (device: Device, service: string): string | undefined =>
      hosts?.format({ service, handle: device.handle }),

    /** A service that somebody names by the device's id or handle; `undefined` unless they may reach it. */
    findReach: (userId: UserId, named: string, service: string): ReachTarget | undefined => {
      const device = isDeviceId(named) ? directory.find(named) : directory.findByHandle(named);
      const user = findUser(userId);
      if (device === undefined || user === undefined) return undefined;
      return access.mayReach(user, device, service) ? { deviceId: device.id, service } : undefined;
    },

    /** What answers at hosts of devices, but for what stands below `/.postern/`. */
    otherHosts(relay: Relay<Device>): OtherHosts | undefined {
      if (hosts === undefined || sites === undefined) return undefined;
      const outcomes = reachOutcomes(metrics);
      return {
        has: (host) => hosts.parse(host) !== undefined,
        handle: deviceHostGuard({ sites, origin, ledger, access, relay, outcomes, noteRefusal }),
      };
    },

    /** The page of guest links. */
    addRoutes(router: Router): void {
      if (sites !== undefined) guestRoutes(router, { sites, links, ledger, noteRefusal, clock });
    },

    reapTask: links.reapTask,
  };
}
