import { readdirSync } from 'node:fs';
import type { BuildInfo } from '../lib/build-info.ts';
import type { Clock } from '../lib/clock.ts';
import type { Metrics } from '../lib/metrics.ts';

export interface ProcessMetricsDeps {
  metrics: Metrics;
  clock: Clock;
  build: BuildInfo;
}

const MICROSECONDS = 1e6;

/** What this process takes, under the names that Prometheus gives to it everywhere. */
export function observeProcess({ metrics, clock, build }: ProcessMetricsDeps): void {
  const startedAtSeconds = clock.now() / 1000 - process.uptime();
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / MICROSECONDS;
  };
  metrics.gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  metrics.gauge(
    'process_start_time_seconds',
    'Start of the process since the epoch.',
    () => startedAtSeconds,
  );
  metrics.derivedCounter('process_cpu_seconds_total', 'User and system CPU time.', cpuSeconds);
  if (openFiles() !== undefined) {
    metrics.gauge('process_open_fds', 'Open file descriptors.', () => openFiles() ?? 0);
  }
  const labels = { version: build.version, commit: build.commit ?? 'none' };
  metrics.gauge('postern_build_info', 'Always 1; its labels say what runs.', () => 1, labels);
}

/** `undefined` where the system has no `/proc`. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
