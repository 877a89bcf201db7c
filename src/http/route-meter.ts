import { type Counter, type Histogram, LATENCY_BUCKETS, type Metrics } from '../lib/metrics.ts';

/** Counts the requests of one route pattern; a path as it was sent never becomes a label. */
export interface RouteMeter {
  count(method: string, status: number): void;
  /** `seconds` from the arrival of the head to the answer's head. */
  time(seconds: number): void;
}

/** Callers choose their methods; only these become labels. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** The label of requests that no pattern matches. */
export const UNMATCHED = '(unmatched)';

/** Gives the meter of a pattern, always the same one. */
export function routeMeters(metrics: Metrics): (route: string) => RouteMeter {
  const meters = new Map<string, RouteMeter>();
  return (route) => {
    const known = meters.get(route);
    if (known !== undefined) return known;
    const meter = routeMeter(metrics, route);
    meters.set(route, meter);
    return meter;
  };
}

/** Counters are found by method and status in two steps without making a string, for the sake of the hot path. */
function routeMeter(metrics: Metrics, route: string): RouteMeter {
  const byMethod = new Map<string, (Counter | undefined)[]>();
  const newHistogram = () =>
    metrics.histogram(
      'postern_http_request_seconds',
      'Time to the head of the answer, by route.',
      LATENCY_BUCKETS,
      { route },
    );
  /** Native routes are counted, not timed: a histogram that stays empty would say that they take no time. */
  let duration: Histogram | undefined;
  const newCounter = (counters: (Counter | undefined)[], method: string, status: number) => {
    const labels = { route, method, status: String(status) };
    const counter = metrics.counter(
      'postern_http_requests_total',
      'Requests, by route, method and status.',
      labels,
    );
    counters[status] = counter;
    return counter;
  };
  const countersOf = (method: string) => {
    const counters: (Counter | undefined)[] = [];
    byMethod.set(method, counters);
    return counters;
  };
  return {
    count(sent, status) {
      const method = byMethod.has(sent) || METHODS.includes(sent) ? sent : 'other';
      const counters = byMethod.get(method) ?? countersOf(method);
      (counters[status] ?? newCounter(counters, method, status)).inc();
    },
    time(seconds) {
      duration ??= newHistogram();
      duration.observe(seconds);
    },
  };
}
