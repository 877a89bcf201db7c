import { SERVICE_NAME } from '../config/service-name.ts';

/** What the host name of a device says: which of its services, and the handle it bears. */
export interface DeviceHostName {
  readonly service: string;
  readonly handle: string;
}

/** A label of a handle: no `--`, so that the first one in a host name is the one that parts it. */
const HANDLE = /^(?=.{1,30}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** What stands between service and handle. */
const BETWEEN = '--';

/** Reads and writes `<service>--<handle>.<base>`; `base` is lower case, with its port unless that is the scheme's own. */
export function deviceHostNames(base: string) {
  const end = `.${base}`;

  return {
    /** `host` as requests are compared: lower case, without the scheme's own port. `undefined`: no device can be there. */
    parse(host: string): DeviceHostName | undefined {
      const between = host.indexOf(BETWEEN);
      if (between === -1 || !host.endsWith(end)) return undefined;
      const service = host.slice(0, between);
      const handle = host.slice(between + BETWEEN.length, -end.length);
      return SERVICE_NAME.test(service) && HANDLE.test(handle) ? { service, handle } : undefined;
    },

    format: ({ service, handle }: DeviceHostName): string => `${service}${BETWEEN}${handle}${end}`,
  };
}

export type DeviceHostNames = ReturnType<typeof deviceHostNames>;
