import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';
import type { TlsMaterial } from './tls-source.ts';
import { type SocketHandler, type SocketLimits, socketCallbacks } from './web-socket.ts';

type BunServer = Bun.Server<SocketHandler>;
type Routes = Record<string, (request: Request, server: BunServer) => Response | Promise<Response>>;

export interface ListenerOptions {
  /** The key of the configuration that says where, for the complaint when it cannot be. */
  key: 'listen' | 'metrics_listen';
  hostname: string;
  /** 0 for any that is free. */
  port: number;
  routes: Routes;
  fetch: (request: Request, server: BunServer) => Response | Promise<Response>;
  tls: TlsMaterial | undefined;
  /** For a head that follows another on the same connection, in seconds; the first has 10, which Bun fixes. */
  idleSeconds: number;
  maxBodyBytes: number;
  /** Absent where nothing is a WebSocket. */
  sockets?: SocketLimits | undefined;
  clock: Clock;
  log: Logger;
}

const RETRY_MS = 1_000;

/** Something that accepts connections until it is drained. */
export interface Listener {
  readonly hostname: string;
  readonly port: number;
  /** Serves connections from now on with another certificate; those that are open keep the one they have. */
  replaceTls(material: TlsMaterial): void;
  /** Accepts nothing more, waits for what is running and cuts it at the deadline. */
  drain(timeoutMs: number): Promise<void>;
}

/**
 * Listens, alone on its port. @throws CommandError when the address cannot be had.
 * Bun has no way to give a running server another certificate (`reload` leaves `tls` as it is), so a second server
 * takes the port in the same turn in which the first lets go of it, and the first finishes what it has.
 */
export function listen(options: ListenerOptions): Listener {
  const { clock, log } = options;
  let current = serveFirst(options);
  const { port = options.port } = current;
  let draining = false;
  /** Servers that accept nothing more, each with what resolves when its last answer is out. */
  const retired = new Map<BunServer, Promise<void>>();

  const retire = (server: BunServer) => {
    const ended = server.stop().finally(() => retired.delete(server));
    retired.set(server, ended);
  };

  /** Somebody may take the port in the instant it is free; then it is asked for until it is ours again. */
  const takePort = (material: TlsMaterial) => {
    if (draining) return;
    try {
      current = serve(options, port, material);
    } catch (error) {
      log.error('cannot listen with the new certificate yet', { port, error });
      clock.setTimer(RETRY_MS, () => takePort(material));
    }
  };

  return {
    hostname: options.hostname,
    port,
    replaceTls(material) {
      retire(current);
      takePort(material);
    },
    async drain(timeoutMs) {
      draining = true;
      retire(current);
      const drained = Promise.all(retired.values());
      const cutOff = () => new Error('requests outlived the drain');
      await withDeadline(clock, timeoutMs, drained, cutOff).catch(() => {
        log.warn('requests still ran at the end of the drain and are cut');
      });
      await Promise.all([...retired.keys()].map((server) => server.stop(true)));
    },
  };
}

function serveFirst(options: ListenerOptions): BunServer {
  const { key, hostname, port, tls } = options;
  try {
    return serve(options, port, tls);
  } catch (error) {
    const address = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
    throw new CommandError(`${key} = "${address}": ${listenRefusal(error)}`, 1, { cause: error });
  }
}

/** Why an address cannot be listened on, in words for the operator. */
export function listenRefusal(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return 'in use by another program';
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  if (code === 'EACCES') return 'this user may not listen there (ports below 1024 need permission)';
  return error.message;
}

function serve(options: ListenerOptions, port: number, tls: TlsMaterial | undefined): BunServer {
  const { hostname, routes, fetch, idleSeconds, maxBodyBytes, sockets, log } = options;
  return Bun.serve({
    hostname,
    port,
    routes,
    fetch,
    ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
    reusePort: false,
    development: false,
    idleTimeout: idleSeconds,
    maxRequestBodySize: maxBodyBytes,
    ...(sockets === undefined ? {} : { websocket: socketCallbacks(sockets, log) }),
    error(error) {
      log.error('a request failed outside of its handler', { error, stack: error.stack });
      return new Response(null, { status: 500 });
    },
  });
}
