import type { Clock } from '../lib/clock.ts';
import type { Counter, Metrics } from '../lib/metrics.ts';
import type { SessionCache } from './cache.ts';
import type { ResetReason } from './event-reader.ts';
import type { EventStreamName } from './event-wire.ts';
import type { DropReason } from './foreign-events.ts';
import type { LiveThings } from './live-things.ts';
import type { SessionKind } from './model.ts';

/** Counting a million rows takes tens of milliseconds, so a scrape may be answered from the last count. */
const COUNT_KEPT_MS = 60_000;

const KINDS: readonly SessionKind[] = ['user', 'grant', 'device'];

/** Who was to hear of an event, and why it did not. */
const DROPPED_BY = {
  listener_failed: 'listeners',
  reader_too_slow: 'event_streams',
} as const;

/** Counts session events that somebody was to hear of and did not. */
export function droppedEvents(metrics: Metrics, reason: keyof typeof DROPPED_BY): Counter {
  return droppedCounter(metrics, DROPPED_BY[reason], reason);
}

function droppedCounter(metrics: Metrics, component: string, reason: string): Counter {
  const help = 'Session events that did not reach somebody who listens, by who and why.';
  return metrics.counter('postern_session_events_dropped_total', help, { component, reason });
}

/** What is seen of the events between processes. */
export function elsewhereMetrics(metrics: Metrics, isTrusted: () => boolean) {
  const counters = <Key extends string>(keys: readonly Key[], make: (key: Key) => Counter) => {
    const made = new Map(keys.map((key) => [key, make(key)]));
    return (key: Key): Counter => made.get(key) ?? make(key);
  };
  const droppedFrom = (component: string) =>
    counters(['malformed_event', 'store_failure'], (reason) => droppedCounter(metrics, component, reason));
  const dropped = { sessions: droppedFrom('events_stream'), devices: droppedFrom('device_events_stream') };
  metrics.gauge(
    'postern_session_cache_trusted',
    'Whether sessions in memory are believed (1), or the store is asked each time (0).',
    () => (isTrusted() ? 1 : 0),
  );
  return {
    dropped: (stream: EventStreamName, reason: DropReason) => dropped[stream](reason),
    published: metrics.counter('postern_session_events_published_total', 'Session events given to Redis.'),
    resets: counters(['connection', 'server', 'events_lost'] satisfies ResetReason[], (reason) =>
      metrics.counter(
        'postern_session_events_resets_total',
        'Times that reading began anew and memory was emptied, by reason.',
        { reason },
      ),
    ),
  };
}

export interface SessionMetricsDeps {
  metrics: Metrics;
  cache: SessionCache;
  live: LiveThings;
  countByKind: () => Record<SessionKind, number>;
  clock: Clock;
}

export function observeSessions({ metrics, cache, live, countByKind, clock }: SessionMetricsDeps): void {
  let counted: { at: number; counts: Record<SessionKind, number> } | undefined;
  const counts = () => {
    const now = clock.monotonicNow();
    if (counted === undefined || now - counted.at > COUNT_KEPT_MS)
      counted = { at: now, counts: countByKind() };
    return counted.counts;
  };
  for (const kind of KINDS) {
    metrics.gauge(
      'postern_sessions',
      'Active sessions, by kind; at most a minute old.',
      () => counts()[kind],
      { kind },
    );
  }
  metrics.gauge('postern_session_cache_entries', 'Sessions in memory.', () => cache.size);
  metrics.gauge(
    'postern_session_live_things',
    'Streams and the like that hang on sessions.',
    () => live.count,
  );
  metrics.derivedCounter(
    'postern_session_cache_hits_total',
    'Look-ups answered from memory.',
    () => cache.stats.hits,
  );
  metrics.derivedCounter(
    'postern_session_cache_misses_total',
    'Look-ups that asked the store.',
    () => cache.stats.misses,
  );
  metrics.derivedCounter(
    'postern_session_cache_evictions_total',
    'Entries pushed out by newer ones.',
    () => cache.stats.evictions,
  );
}
