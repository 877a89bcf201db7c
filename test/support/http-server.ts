import { Elysia } from 'elysia';
import { type PublicOrigin, parseOrigin } from '../../src/http/origin.ts';
import { newRouter, type Router } from '../../src/http/router.ts';
import { type ServerOptions, startServer } from '../../src/http/server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts';
import { type RecordedLog, recordedLog } from './silent-log.ts';

export interface TemporaryServer extends AsyncDisposable {
  readonly port: number;
  readonly origin: PublicOrigin;
  readonly log: RecordedLog;
  readonly metrics: Metrics;
}

/** The host that a temporary server answers to, whatever its port: requests name it in `Host`. */
export const SERVED_HOST = 'auth.example.com';

type Overrides = Partial<Omit<ServerOptions, 'log' | 'metrics'>>;

/** The real server on a free port of loopback, with the routes that `addRoutes` adds. */
export function temporaryServer(
  addRoutes: (router: Router) => unknown = () => {},
  overrides: Overrides = {},
) {
  const log = recordedLog();
  const metrics = createMetrics();
  const router = newRouter();
  addRoutes(router);
  const origin = overrides.origin ?? parseOrigin(`https://${SERVED_HOST}`);
  const server = startServer({
    listen: { hostname: '127.0.0.1', port: 0 },
    isServedHost: (host) => host === origin.host,
    trustedProxies: [],
    corsOrigins: [],
    limits: { maxBodyBytes: 10_000, headTimeoutMs: 10_000, drainTimeoutMs: 10_000 },
    clock: systemClock,
    app: async () => router,
    ...overrides,
    origin,
    log,
    metrics,
  });
  return {
    port: server.address.port,
    origin,
    log,
    metrics,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  } satisfies TemporaryServer;
}

/** A feature's routes as a plugin of their own, as features make them. */
export const newRoutes = () => new Elysia({ aot: false, strictPath: true });
