import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { assetResponse, PROTECTED_HOST_PREFIX } from './assets.ts';
import { bodyTooLarge } from './body.ts';
import type { Cors } from './cors.ts';
import { type ErrorAnswers, notFound, refuseMethod } from './errors.ts';
import { requestHost, unknownHost } from './host.ts';
import { isKeptOpen, setConnection } from './keep-open.ts';
import type { PublicOrigin } from './origin.ts';
import { isBelow, requestPath } from './path.ts';
import type { PeerTable } from './peers.ts';
import { connectionContext, requestContext, setRequestContext } from './request-context.ts';
import { type RouteMeter, UNMATCHED } from './route-meter.ts';
import type { FoundRoute, RouteTable } from './route-table.ts';
import { setSecurityHeaders } from './security-headers.ts';
import type { SocketHandler } from './web-socket.ts';

/** What is served, and how to find it. */
interface Application {
  fetch: (request: Request) => Response | Promise<Response>;
  table: RouteTable;
}

export interface DispatchDeps {
  /** Takes its time once. */
  application: () => Promise<Application>;
  cors: Cors;
  errors: ErrorAnswers;
  meterOf: (route: string) => RouteMeter;
  peers: PeerTable;
  origin: PublicOrigin;
  isServedHost: (host: string) => boolean;
  maxBodyBytes: number;
  /** For a connection that waits for its next request, in seconds. */
  idleSeconds: number;
  clock: Clock;
  log: Logger;
}

/** How long a handler may take and a body may trickle in, in seconds. The runtime takes at most 255. */
const ANSWER_SECONDS = 60;

/** Methods that nothing here serves: tunnels through us, and headers read back to a script (RFC 9110 section 9.3.6 and 9.3.8). */
const REFUSED_METHODS = ['CONNECT', 'TRACE'];

const ASSETS = '/assets/*';

/** What becomes known of a request on its way; the answer to an error needs whatever is known by then. */
interface Progress {
  host: string | undefined;
  route: string;
}

/** Guards a request, then hands it to the application; every answer leaves with the headers that all answers have. */
export function dispatcher(deps: DispatchDeps) {
  const { errors, clock, cors, origin, peers, idleSeconds } = deps;

  return async (request: Request, server: Bun.Server<SocketHandler>): Promise<Response> => {
    const startedAt = clock.monotonicNow();
    const progress: Progress = { host: undefined, route: UNMATCHED };
    const peer = peers.behind(request, server);
    setRequestContext(request, connectionContext(request, peer, peers));
    setConnection(request, server);
    server.timeout(request, ANSWER_SECONDS);

    const response = await answer(deps, request, progress).catch((error: unknown) => errors(error, request));
    if (isKeptOpen(request)) {
      // Without a timeout, nobody would ever close a connection that its client leaves idle.
      response.headers.set('connection', 'close');
    } else {
      server.timeout(request, idleSeconds);
    }
    setSecurityHeaders(response.headers, progress.host, origin);
    response.headers.set('x-request-id', requestContext(request).id);
    if (progress.host !== undefined) cors.share(request, requestPath(request), response.headers);
    record(deps, request, {
      ...progress,
      status: response.status,
      seconds: (clock.monotonicNow() - startedAt) / 1000,
    });
    return response;
  };
}

async function answer(deps: DispatchDeps, request: Request, progress: Progress): Promise<Response> {
  const { cors, origin } = deps;
  const path = requestPath(request);
  requireDecodable(path);
  const { fetch: serveByRouter, table } = await deps.application();
  const methods = () => withHead(table.methodsOf(path));
  if (REFUSED_METHODS.includes(request.method)) return refuseMethod(deps.errors, request, methods());
  const host = requestHost(request, origin.secure);
  if (!deps.isServedHost(host) || !isHandedToUs(host, path, origin)) throw unknownHost(origin);
  progress.host = host;
  if (announcedLength(request) > deps.maxBodyBytes) throw bodyTooLarge();

  const asset = isRead(request) ? assetResponse(path) : undefined;
  if (asset !== undefined) {
    progress.route = ASSETS;
    return asset;
  }
  const serve = ({ pattern, handle }: FoundRoute, sent: Request) => {
    progress.route = pattern;
    return handle === undefined ? serveByRouter(sent) : handle(sent);
  };
  const preflight = cors.preflight(request, path, methods);
  if (preflight !== undefined) return preflight;
  const route = table.find(request.method, path);
  if (route !== undefined) return serve(route, request);
  const read = request.method === 'HEAD' ? table.find('GET', path) : undefined;
  if (read !== undefined) return serve(read, asGet(request));
  const allowed = methods();
  if (allowed.length > 0) return refuseMethod(deps.errors, request, allowed);
  throw notFound();
}

/** The router hands over what it cannot decode as `null`. */
function requireDecodable(path: string): void {
  if (!path.includes('%')) return;
  try {
    decodeURIComponent(path);
  } catch {
    throw new AppError('bad_request', 'malformed_path', 'The path is malformed.');
  }
}

/** On a host of somebody else's application one prefix is ours; what we serve at home is nothing there. */
function isHandedToUs(host: string, path: string, origin: PublicOrigin): boolean {
  return host === origin.host || isBelow(path, PROTECTED_HOST_PREFIX);
}

/** Whatever is served to GET is served to HEAD. */
function withHead(methods: readonly string[]): readonly string[] {
  return methods.includes('GET') && !methods.includes('HEAD') ? ['HEAD', ...methods] : methods;
}

/** The runtime leaves out the body of an answer to HEAD, so that whoever answers GET answers HEAD too. */
function asGet(request: Request): Request {
  const get = new Request(request.url, { method: 'GET', headers: request.headers, signal: request.signal });
  setRequestContext(get, requestContext(request));
  return get;
}

function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD';
}

function announcedLength({ headers }: Request): number {
  return Number(headers.get('content-length') ?? 0);
}

interface Outcome extends Progress {
  status: number;
  seconds: number;
}

function record({ meterOf, log }: DispatchDeps, request: Request, { route, status, seconds }: Outcome): void {
  const meter = meterOf(route);
  meter.count(request.method, status);
  meter.time(seconds);
  const { id, address } = requestContext(request);
  const ms = Math.round(seconds * 1e6) / 1e3;
  log.info('request', { request_id: id, method: request.method, route, status, ms, address });
}
