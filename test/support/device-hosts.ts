import type { DeviceRuleConfig } from '../../src/config/schema.ts';
import { openDeviceAccess } from '../../src/devices/guard-access.ts';
import type { Relay } from '../../src/devices/guard-host.ts';
import type { Device } from '../../src/devices/model.ts';
import { openForwardAuth } from '../../src/forward-auth/routes.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { parseRange } from '../../src/lib/ip-address.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { reachAudience } from '../../src/sessions/audience.ts';
import { sessionGuard } from '../../src/sessions/guard.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import type { SessionId } from '../../src/sessions/model.ts';
import type { UserId } from '../../src/users/model.ts';
import { userStore } from '../../src/users/store.ts';
import { aRule } from './forward-auth.ts';
import { temporaryServer } from './http-server.ts';
import { TEST_ORIGIN, TEST_SECRET, temporaryLedger } from './ledger.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { MappedBrowser } from './mapped-browser.ts';
import { reachedDevices } from './reached-device.ts';

export const BASE = 'devices.example.test';
/** The service `web` of the device `pi`. */
export const PI_HOST = `web--pi.${BASE}`;
export const PI_URL = `https://${PI_HOST}`;
/** An app behind forward-auth, beside the devices. */
export const APP = 'app.example.test';

interface Options {
  rules?: DeviceRuleConfig[];
  origin?: string;
  base?: string;
  trusted?: string;
  /** What is behind the tunnel; it tells what it was asked where nothing else is given. */
  relay?: Relay<Device>;
}

/** What a device told of a request that reached it. */
export interface Told {
  device: string;
  service: string;
  person: string | null;
  session: string;
  method: string;
  target: string;
}

const tell: Relay<Device> = (request, { device, service, session, person }) => {
  const { pathname, search } = new URL(request.url);
  const told: Told = {
    device: device.id,
    service,
    person: person?.username ?? null,
    session,
    method: request.method,
    target: pathname + search,
  };
  return Response.json(told, { headers: { 'x-behind': 'device' } });
};

export type DeviceHosts = Awaited<ReturnType<typeof temporaryDeviceHosts>>;

/** Hosts of devices behind the real server, with sign-in; only the way to the device is the test's. */
export async function temporaryDeviceHosts({
  rules = [],
  origin = TEST_ORIGIN,
  base: devicesBase = BASE,
  trusted = '192.0.2.0/24',
  relay = tell,
}: Options = {}) {
  const clock = new ManualClock();
  const base = temporaryLedger({ clock, origin });
  const { ledger, db, audit, metrics } = base;
  const publicOrigin = parseOrigin(origin);
  const people = userStore(db);
  const subjectsOf = (id: UserId) => people.identitiesOf(id).map(({ subject }) => subject);
  const devices = reachedDevices({ db, ledger, clock });
  const access = openDeviceAccess({
    config: { ...base.config.devices, base: devicesBase, rule: rules },
    origin: publicOrigin,
    db,
    clock,
    ledger,
    audit,
    metrics,
    subjectsOf,
    directory: devices.directory,
    findUser: (id) => people.find(id),
  });
  const forwardAuth = openForwardAuth({
    config: { ...base.config.forward_auth, rule: [aRule({ host: APP })] },
    origin: publicOrigin,
    db,
    ring: keyRing([TEST_SECRET]),
    clock,
    ledger,
    sessions: sessionGuard({ ledger, origin: publicOrigin, audit, clock }),
    audit,
    metrics,
    subjectsOf,
    otherSites: access.sites,
  });
  const ours = (): Response => new Response('ours', { headers: { 'x-behind': 'postern' } });
  const server = temporaryServer(
    (router) => {
      forwardAuth.addRoutes(router);
      access.addRoutes(router);
      router.get('/api/v1/me', ours).get('/', ours).get('/sign-in', ours);
    },
    {
      origin: publicOrigin,
      isServedHost: (host) => host === publicOrigin.host || forwardAuth.isSiteHost(host),
      nativeRoutes: forwardAuth.nativeRoutes,
      ownRoutes: { '/mcp/:name': ours, '/oauth/token': ours, '/d/*': ours },
      probeRoutes: { '/healthz': ours, '/readyz': ours },
      otherHosts: access.otherHosts(relay),
      limits: {
        maxBodyBytes: 10_000,
        headTimeoutMs: 10_000,
        drainTimeoutMs: 1_000,
        sockets: { maxMessageBytes: 65_536, maxBufferedBytes: 1_048_576 },
      },
      trustedProxies: [parseRange(trusted)].flatMap((range) => range ?? []),
    },
  );

  return {
    ...base,
    clock,
    devices,
    access,
    forwardAuth,
    port: server.port,

    /** A browser in which this person is signed in at the appliance. */
    async browserOf(userId: UserId) {
      const parent = await base.signIn(userId);
      const browser = new MappedBrowser({ port: server.port });
      browser.cookies.store(new URL(origin), [`__Host-postern=${parent.token}; Path=/`]);
      return { browser, parent };
    },

    /** A personal token for one service of a device. */
    openToken: (issuedBy: SessionId, deviceId: string, service = 'web'): Promise<Issued> =>
      db.write((tx) =>
        ledger.openPersonalToken(tx, {
          issuedBy,
          label: 'test',
          audience: [reachAudience(deviceId, service)],
          expiresAt: clock.now() + 86_400_000,
          origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
        }),
      ),

    /** What the audit says of refusals, oldest first. */
    async refusals(): Promise<Record<string, unknown>[]> {
      await settle();
      await db.write(() => undefined);
      return base.auditStore
        .list({ limit: 100 })
        .filter(({ outcome }) => outcome === 'refused')
        .map(({ action, detail, actorUserId }) => ({ action, ...detail, actorUserId }))
        .toReversed();
    },

    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await base[Symbol.asyncDispose]();
    },
  };
}

/** Somebody's device `pi`, and a browser in which they are signed in there already. */
export async function atTheirDevice(hosts: DeviceHosts, username = 'ada') {
  const userId = await hosts.addUser(username);
  const device = await hosts.devices.add(userId, 'pi');
  const { browser, parent } = await hosts.browserOf(userId);
  await browser.visit(`${PI_URL}/`);
  return { userId, device, browser, parent };
}
