import type { AuditRecorder } from '../audit/recorder.ts';
import type { DevicesConfig } from '../config/schema.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import { refusalNotes } from '../forward-auth/guard-refusals.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import type { OtherHosts } from '../http/other-hosts.ts';
import { onlyWith, routesOnlyWith } from '../http/other-node.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { OpenDeviceAccess } from './guard-access.ts';
import { pathGuard } from './guard-path.ts';
import type { DeviceGuard } from './guard-signed.ts';
import type { Hub } from './hub.ts';
import { muxLimits } from './open-hub.ts';
import { hostRelay, reachByPath } from './routes-reach.ts';
import { tunnelRoute } from './routes-tunnel.ts';

export interface OpenReachDeps {
  config: DevicesConfig;
  /** The origin of `url`. */
  origin: PublicOrigin;
  clock: Clock;
  ledger: Ledger;
  audit: AuditRecorder;
  hub: Hub;
  /** Whether tunnels come in here. */
  hubRole: RoleGuard;
  deviceGuard: { readonly guard: Pick<DeviceGuard, 'signedDevice'> };
  deviceReach: Pick<OpenDeviceAccess, 'findDevice' | 'findByHandle' | 'mayReach' | 'otherHosts'>;
}

/** Everything through which devices come in and are reached. */
export interface OpenReach {
  readonly tunnelRoutes: NativeRoutes;
  readonly pathRoutes: NativeRoutes;
  readonly otherHosts: OtherHosts | undefined;
  /** Ends what would stay open for ever. */
  close(): void;
}

export function openReach(deps: OpenReachDeps): OpenReach {
  const { config, origin, clock, ledger, audit, hub, hubRole, deviceGuard, deviceReach } = deps;
  const maxMessageBytes = config.max_message_bytes;
  const byPath = reachByPath({
    hub,
    ledger,
    origin,
    clock,
    maxMessageBytes,
    limits: muxLimits(config),
    guard: pathGuard({
      ledger,
      directory: { find: deviceReach.findDevice, findByHandle: deviceReach.findByHandle },
      mayReach: deviceReach.mayReach,
      noteRefusal: refusalNotes({ audit, clock }),
    }),
  });
  const otherHosts = deviceReach.otherHosts(hostRelay({ hub, origin, maxMessageBytes }));
  return {
    tunnelRoutes: routesOnlyWith(hubRole, tunnelRoute({ hub, guard: deviceGuard.guard, clock })),
    pathRoutes: routesOnlyWith(hubRole, byPath.routes),
    otherHosts: otherHosts && { ...otherHosts, handle: onlyWith(hubRole, otherHosts.handle) },
    close() {
      byPath.close();
      hub.close();
    },
  };
}
