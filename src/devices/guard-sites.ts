import type { Site } from '../forward-auth/guard-sites.ts';
import { cookieName } from '../http/cookies.ts';
import { hostOrigin } from '../http/origin.ts';
import { usualHost } from '../http/other-hosts.ts';
import { hostAudience } from '../sessions/audience.ts';
import type { DeviceAccess, ReachedDevice } from './access.ts';
import type { DeviceHostNames } from './access-hosts.ts';

/** One service of one live device, as requests to its host meet it. */
export interface DeviceSite<Device extends ReachedDevice = ReachedDevice> extends Site {
  readonly device: Device;
  readonly service: string;
}

export interface DeviceSitesDeps<Device extends ReachedDevice> {
  hosts: DeviceHostNames;
  /** Whether `url`, and with it every host of a device, is https. */
  secure: boolean;
  access: DeviceAccess;
  /** The live device that bears a handle. */
  findByHandle: (handle: string) => Device | undefined;
}

/** Sites are made once for each version of a device: services that somebody asks for by name are bounded by this. */
const MAX_SERVICES_REMEMBERED = 100;

export interface DeviceSites<Device extends ReachedDevice = ReachedDevice> {
  /** The site that a `Host` header names, in any case, with or without the scheme's own port. */
  find(host: string): DeviceSite<Device> | undefined;
}

/**
 * Finds the sites of live devices. The cookie's name holds the device: one that comes to bear the handle of an earlier one
 * is not reached with sessions of that, and what that left in browsers goes (`tenant`).
 */
export function deviceSites<Device extends ReachedDevice>({
  hosts,
  secure,
  access,
  findByHandle,
}: DeviceSitesDeps<Device>): DeviceSites<Device> {
  const known = new WeakMap<Device, Map<string, DeviceSite<Device>>>();

  const siteOf = (device: Device, service: string): DeviceSite<Device> => {
    const host = hosts.format({ service, handle: device.handle });
    const origin = hostOrigin(host, secure);
    const rule = {
      path: '',
      isPublic: false,
      allowedOrigins: [],
      mayPass: (user: Parameters<DeviceAccess['mayReach']>[0]) => access.mayReach(user, device, service),
    };
    return {
      device,
      service,
      origin,
      cookie: cookieName(origin, device.id),
      audience: hostAudience(host),
      rulesFor: () => [rule],
      tenant: device.id,
      deniedAs: 'device.denied',
    };
  };

  return {
    find(host) {
      const name = hosts.parse(usualHost(host, secure));
      const device = name && findByHandle(name.handle);
      if (name === undefined || device === undefined) return undefined;
      const sites = known.get(device) ?? new Map<string, DeviceSite<Device>>();
      const site = sites.get(name.service) ?? siteOf(device, name.service);
      if (sites.size < MAX_SERVICES_REMEMBERED) known.set(device, sites.set(name.service, site));
      return site;
    },
  };
}
