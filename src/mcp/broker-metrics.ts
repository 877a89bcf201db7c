import type { Counter, Metrics } from '../lib/metrics.ts';
import type { ExitCause } from './exchange.ts';

/** Why we ended a child. */
export type EndReason =
  | 'idle'
  | 'swapped'
  | 'session_ended'
  | 'forgotten'
  | 'withdrawn'
  | 'limit'
  | 'shutdown';

const CAUSES = [
  // By itself.
  'exited',
  'crashed',
  'lost',
  'protocol',
  // By us.
  'ended',
  'idle',
  'swapped',
  'session_ended',
  'forgotten',
  'withdrawn',
  'limit',
  'shutdown',
] as const satisfies readonly (ExitCause['kind'] | EndReason)[];
const SWAPS = ['success', 'failure', 'called_off'] as const;
export type SwapOutcome = (typeof SWAPS)[number];

export interface BrokerMetrics {
  spawned(backend: string, outcome: 'success' | 'failure'): void;
  exited(backend: string, cause: (typeof CAUSES)[number]): void;
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
  const spawns = series(metrics, backends, 'outcome', ['success', 'failure'], {
    name: 'postern_mcp_spawns_total',
    help: 'MCP servers that were started.',
  });
  const exits = series(metrics, backends, 'cause', CAUSES, {
    name: 'postern_mcp_exits_total',
    help: 'MCP servers that ended.',
  });
  const swaps = series(metrics, backends, 'outcome', SWAPS, {
    name: 'postern_mcp_swaps_total',
    help: 'MCP servers replaced by one with a new token.',
  });
  const starts = new Map(
    backends.map((backend) => [
      backend,
      metrics.histogram('postern_mcp_start_seconds', 'Time that MCP servers take to start.', START_BUCKETS, {
        backend,
      }),
    ]),
  );
  return {
    spawned: spawns,
    exited: exits,
    swapped: swaps,
    started: (backend, ms) => starts.get(backend)?.observe(ms / 1_000),
  };
}

/** One counter for each backend and each value of a label, there from the start. */
function series<Value extends string>(
  metrics: Metrics,
  backends: readonly string[],
  label: string,
  values: readonly Value[],
  { name, help }: { name: string; help: string },
): (backend: string, value: Value) => void {
  const counters = new Map<string, Counter>();
  for (const backend of backends) {
    for (const value of values) {
      counters.set(`${backend} ${value}`, metrics.counter(name, help, { backend, [label]: value }));
    }
  }
  return (backend, value) => counters.get(`${backend} ${value}`)?.inc();
}
