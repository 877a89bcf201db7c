import type { NativeConnection, NativeHandler, NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { usualHost } from '../http/other-hosts.ts';
import { requestContext } from '../http/request-context.ts';
import { acceptSocket, isUpgrade, offeredProtocols } from '../http/web-socket.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { MuxLimits } from '../tunnel/model.ts';
import { fieldsForDevice, fieldsForVisitor } from './guard-headers.ts';
import type { Reach, Relay } from './guard-host.ts';
import type { PathGuard } from './guard-path.ts';
import { requireCarriedMethod, targetOf } from './guard-request.ts';
import type { Hub } from './hub.ts';
import type { Device } from './model.ts';
import { TCP_PROTOCOL, TcpRelay } from './relay-tcp.ts';
import { type RelayAsked, type RelayDeps, relayAsked } from './routes-relay.ts';

export interface ReachDeps extends RelayDeps {
  hub: Pick<Hub, 'open' | 'metrics' | 'requireConnected'>;
  ledger: Pick<Ledger, 'attach'>;
  /** The origin of `url`. */
  origin: PublicOrigin;
  guard: PathGuard;
  limits: MuxLimits;
  clock: Clock;
}

/** Carries what comes to the host of a service; who may come there has been decided (`guard-host.ts`). */
export function hostRelay(deps: RelayDeps & Pick<ReachDeps, 'origin'>): Relay<Device> {
  const relay = relayAsked(deps);
  const { secure } = deps.origin;
  const scheme = secure ? 'https' : 'http';

  return (request, reach, connection) => {
    const { address } = requestContext(request);
    const host = usualHost(request.headers.get('host') ?? '', secure);
    const fields = fieldsForDevice(request.headers, { address, host, scheme, person: reach.person });
    const target = targetOf(request);
    return relay(request, { reach, target, scheme, host, fields, fieldsOf: fieldsForVisitor }, connection);
  };
}

/** `/d/<device>/<service>/…`, for programs: requests, WebSockets, and the connections of `postern connect`. */
export function reachByPath(deps: ReachDeps) {
  const relay = relayAsked(deps);
  const sockets = new Set<TcpRelay>();

  const handle: NativeHandler = (request, _peer, connection) => {
    requireCarriedMethod(request);
    refuseOtherUpgrades(request);
    const { prefix, named, service, target } = partsOf(request);
    const go = (reach: Reach<Device>) =>
      isUpgrade(request) && offeredProtocols(request).includes(TCP_PROTOCOL)
        ? connect(deps, sockets, request, reach, connection)
        : carry(deps, relay, { request, reach, prefix, target, connection });
    // In the same turn wherever possible: a session that ends in between would tell nobody.
    const found = deps.guard(request, named, service);
    return found instanceof Promise ? found.then(go) : go(found);
  };

  return {
    routes: { '/d/:device/:service': handle, '/d/:device/:service/*': handle } satisfies NativeRoutes,
    /** Ends the connections of `postern connect`, which nobody else counts. */
    close(): void {
      for (const socket of sockets) socket.end();
    },
  };
}

interface PathVisit {
  request: Request;
  reach: Reach<Device>;
  /** `/d/<device>/<service>` */
  prefix: string;
  target: string;
  connection: NativeConnection;
}

function carry({ origin }: ReachDeps, relay: RelayAsked, visit: PathVisit): Promise<Response> {
  const { request, reach, prefix, target, connection } = visit;
  const { address } = requestContext(request);
  const scheme = origin.secure ? 'https' : 'http';
  const facts = { address, host: origin.host, scheme, person: reach.person } as const;
  const fields = fieldsForDevice(request.headers, facts).filter(([name]) => !OURS_ALONE.includes(name));
  fields.push(['x-forwarded-prefix', prefix]);
  const asked = { reach, target, scheme, host: origin.host, fields } as const;
  return relay(request, { ...asked, fieldsOf: (answer) => fieldsOnOurOrigin(answer, prefix) }, connection);
}

/** On our own origin every credential is one of ours. */
const OURS_ALONE: readonly string[] = ['cookie', 'authorization', 'x-forwarded-prefix'];

/**
 * An answer that stands on our own origin: it sets nothing there, and if a browser shows it, then as a page of nobody
 * (Content Security Policy Level 3 section 6.3.2).
 */
function fieldsOnOurOrigin(fields: Parameters<typeof fieldsForVisitor>[0], prefix: string): Headers {
  const headers = fieldsForVisitor(fields);
  headers.delete('set-cookie');
  headers.set('content-security-policy', 'sandbox');
  headers.set('x-content-type-options', 'nosniff');
  const location = headers.get('location');
  if (location !== null && /^\/(?!\/)/.test(location)) headers.set('location', `${prefix}${location}`);
  return headers;
}

function connect(
  deps: ReachDeps,
  sockets: Set<TcpRelay>,
  request: Request,
  { device, service, session, person }: Reach<Device>,
  connection: NativeConnection,
): Response {
  const { hub, ledger, limits, clock } = deps;
  hub.requireConnected(device);
  const carried = { kind: 'tcp', service, sessionId: session, userId: person?.id } as const;
  const relay = new TcpRelay({
    service,
    open: () => hub.open(device, carried),
    attach: (close) => {
      sockets.add(relay);
      const attachment = ledger.attach(session, close);
      return {
        [Symbol.dispose]() {
          sockets.delete(relay);
          attachment[Symbol.dispose]();
        },
      };
    },
    limits,
    clock,
    metrics: hub.metrics,
  });
  return acceptSocket(connection, request, relay, { protocol: TCP_PROTOCOL });
}

/** The parts of a path below `/d/`; names are compared as they stand, so that nothing is decoded. */
function partsOf(request: Request) {
  const whole = targetOf(request);
  const [, prefix = '', named = '', service = '', rest = ''] =
    /^(\/d\/([^/?]+)\/([^/?]+))(.*)$/.exec(whole) ?? [];
  return { prefix, named, service, target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** Of all protocols that a connection may change to, only WebSockets are carried (RFC 9110 section 7.8). */
function refuseOtherUpgrades(request: Request): void {
  const { headers } = request;
  if (!headers.has('http2-settings') && (!headers.has('upgrade') || isUpgrade(request))) return;
  throw new AppError(
    'bad_request',
    'foreign_upgrade',
    'Of all upgrades, only that to a WebSocket is let through.',
  );
}
