import type { AuditRecorder } from '../audit/recorder.ts';
import type { ApiRoute } from '../http/api-route.ts';
import type { Clock } from '../lib/clock.ts';
import type { SessionApiAccess } from '../sessions/guard.ts';
import type { UserStore } from '../users/store.ts';
import type { DeviceApiAccess } from './guard-signed.ts';
import type { GuestLinks } from './guest-links.ts';
import type { OpenDevices } from './open-devices.ts';
import { deliveryRoutes } from './routes-deliveries.ts';
import { ownDeviceRoutes } from './routes-device.ts';
import { deviceRoutes } from './routes-devices.ts';
import { guestLinkRoutes } from './routes-guest-links.ts';
import { joinRoutes } from './routes-joins.ts';
import { pairingRoutes } from './routes-pairings.ts';
import { type TunnelRoutesDeps, tunnelRoutes } from './routes-tunnels.ts';

export interface DeviceApiDeps {
  devices: OpenDevices;
  guestLinks: GuestLinks;
  /** What people bring. */
  access: SessionApiAccess;
  /** What devices bring. */
  deviceAccess: DeviceApiAccess;
  users: Pick<UserStore, 'find'>;
  hub: TunnelRoutesDeps['hub'];
  hubRole: TunnelRoutesDeps['hubRole'];
  audit: AuditRecorder;
  clock: Clock;
}

/** Everything of `/api/v1` that is about devices. */
export function deviceApiRoutes({
  devices,
  guestLinks,
  access,
  deviceAccess,
  users,
  hub,
  hubRole,
  audit,
  clock,
}: DeviceApiDeps): ApiRoute[] {
  return [
    ...pairingRoutes({ ...devices, access }),
    ...joinRoutes(devices),
    ...deviceRoutes({ ...devices, access, users }),
    ...tunnelRoutes({ ...devices, hub, hubRole, access, audit, clock }),
    ...guestLinkRoutes({ ...devices, links: guestLinks, access }),
    ...deliveryRoutes({ ...devices, access, deviceAccess }),
    ...ownDeviceRoutes({ ...devices, access: deviceAccess }),
  ];
}
