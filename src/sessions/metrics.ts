import type { Clock } from '../lib/clock.ts';
import type { Counter, Metrics } from '../lib/metrics.ts';
import type { SessionCache } from './cache.ts';
import type { LiveThings } from './live-things.ts';
import type { SessionKind } from './model.ts';

/** Counting a million rows takes tens of milliseconds, so a scrape may be answered from the last count. */
const COUNT_KEPT_MS = 60_000;

const KINDS: readonly SessionKind[] = ['user', 'grant', 'device'];

/** Counts session events that somebody was to hear of and did not. */
export function droppedEvents(metrics: Metrics, reason: 'listener_failed' | 'reader_too_slow'): Counter {
  const help = 'Session events that did not reach somebody who listens, by reason.';
  return metrics.counter('postern_session_events_dropped_total', help, { reason });
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
