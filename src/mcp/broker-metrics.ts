import type { Counter, Metrics } from '../lib/metrics.ts';
import type { ExitCause } from './exchange.ts';

/** Why a child is no longer there: by itself, or ended by us for a reason. */
export type EndReason =
  | 'idle'
  | 'swapped'
  | 'session_ended'
  | 'forgotten'
  | 'limit'
  | 'start_failed'
  | 'shutdown';
export type SwapOutcome = 'success' | 'failure' | 'called_off';

export interface BrokerMetrics {
  spawned(backend: string, outcome: 'success' | 'failure'): void;
  exited(backend: string, cause: ExitCause['kind'] | EndReason): void;
  swapped(backend: string, outcome: SwapOutcome): void;
  /** Milliseconds from the launch to the end of the handshake. */
  started(backend: string, ms: number): void;
}

const START_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What the broker counts; `children` is read when scraped. Names of backends are configuration, so they are few. */
export function brokerMetrics(
  metrics: Metrics,
  backends: readonly string[],
  children: (backend: string) => number,
): BrokerMetrics {
  for (const backend of backends) {
    metrics.gauge('postern_mcp_children', 'MCP servers that run.', () => children(backend), { backend });
  }
  const counter = (name: string, help: string) => {
    const known = new Map<string, Counter>();
    return (labels: Record<string, string>) => {
      const key = Object.values(labels).join(' ');
      const found = known.get(key) ?? metrics.counter(name, help, labels);
      known.set(key, found);
      found.inc();
    };
  };
  const spawns = counter('postern_mcp_spawns_total', 'MCP servers that were started.');
  const exits = counter('postern_mcp_exits_total', 'MCP servers that ended, by cause.');
  const swaps = counter('postern_mcp_swaps_total', 'MCP servers replaced by one with a new token.');
  return {
    spawned: (backend, outcome) => spawns({ backend, outcome }),
    exited: (backend, cause) => exits({ backend, cause }),
    swapped: (backend, outcome) => swaps({ backend, outcome }),
    started: (backend, ms) =>
      metrics
        .histogram('postern_mcp_start_seconds', 'How long MCP servers take to start.', START_BUCKETS, {
          backend,
        })
        .observe(ms / 1_000),
  };
}
