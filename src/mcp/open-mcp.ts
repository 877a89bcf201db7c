import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { UpstreamTokens } from '../upstream/tokens.ts';
import { aboutCache } from './about-cache.ts';
import { openBroker, type RunningBroker } from './broker.ts';
import type { Launch } from './launch.ts';
import { backendLauncher } from './launch-backend.ts';
import type { Backend } from './model.ts';
import { openChildren, type Surroundings } from './open-children.ts';

export interface OpenMcpDeps {
  config: Pick<Config, 'data_dir' | 'tls' | 'mcp_server'>;
  backends: readonly Backend[];
  db: Db;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  ledger: Pick<Ledger, 'attach' | 'findDurable' | 'end'>;
  upstream: Pick<UpstreamTokens, 'current' | 'onRefreshed' | 'onSecretChanged' | 'secret'>;
  surroundings: Surroundings;
  /** Whether MCP servers run in this process. */
  brokerRole: Pick<RoleGuard, 'isHere' | 'require'>;
}

/**
 * The broker over the real world: children that are isolated and recorded, remote servers, what was said at earlier starts.
 * @throws CommandError, exit 2, when a backend has to be isolated and nothing here can.
 */
export async function openMcpBroker(deps: OpenMcpDeps): Promise<RunningBroker> {
  const { config, backends, db, clock, log, metrics, ledger, upstream } = deps;
  const server = config.mcp_server;
  return openBroker({
    backends,
    launch: await openLauncher(deps),
    upstream,
    ledger,
    abouts: aboutCache({ db, clock, log }),
    clock,
    log,
    metrics,
    options: {
      limits: { perUser: server.children_per_user, total: server.children },
      idleMs: server.child_idle_timeout,
      swapTimeoutMs: server.swap_timeout,
      drainMs: server.drain,
      probeTimeoutMs: server.era_probe,
      restarts: { firstMs: server.restart_first, longestMs: server.restart_longest },
    },
  });
}

/** Where another process runs the servers, its children are not looked for, and nothing is tried. */
async function openLauncher(deps: OpenMcpDeps): Promise<Launch> {
  const { brokerRole, upstream, clock, log } = deps;
  if (!brokerRole.isHere) {
    return async () => {
      brokerRole.require();
      throw new Error('a node that is not the broker was to start an MCP server');
    };
  }
  const children = await openChildren(deps);
  return backendLauncher({ children, secret: (userId, name) => upstream.secret(userId, name), clock, log });
}
