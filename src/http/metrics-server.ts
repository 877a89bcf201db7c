import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { listen } from './listener.ts';
import type { Server } from './server.ts';

export interface MetricsServerOptions {
  listen: { readonly hostname: string; readonly port: number };
  metrics: Metrics;
  clock: Clock;
  log: Logger;
}

/** The Prometheus text format (https://prometheus.io/docs/instrumenting/exposition_formats). */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const METRICS_PATH = '/metrics';
const IDLE_SECONDS = 10;
/** A scrape takes milliseconds, and sends no body. */
const DRAIN_MS = 1_000;
const MAX_BODY_BYTES = 1_024;

/** `/metrics` on a listener of its own, so that it can stay inside when the appliance faces the world. */
export function startMetricsServer({ listen: address, metrics, clock, log }: MetricsServerOptions): Server {
  const headers = {
    'content-type': CONTENT_TYPE,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  const scrape = ({ method }: Request) =>
    method === 'GET' || method === 'HEAD'
      ? new Response(metrics.render(), { headers })
      : new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } });
  const listener = listen({
    key: 'metrics_listen',
    ...address,
    routes: { [METRICS_PATH]: scrape },
    fetch: () => new Response(null, { status: 404 }),
    tls: undefined,
    idleSeconds: IDLE_SECONDS,
    maxBodyBytes: MAX_BODY_BYTES,
    clock,
    log,
  });
  return {
    address: { hostname: listener.hostname, port: listener.port },
    [Symbol.asyncDispose]: () => listener.drain(DRAIN_MS),
  };
}
