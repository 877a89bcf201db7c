import type { AuditRecorder } from '../audit/recorder.ts';
import type { AuditStore } from '../audit/store.ts';
import type { McpServerConfig } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import { callAudit } from './call-audit.ts';
import { callMeters } from './call-metrics.ts';
import { callRunner } from './calls.ts';
import { dueQueue } from './due-queue.ts';
import type { Broker } from './exchange.ts';
import type { McpGuardDeps } from './guard.ts';
import { failureDescriber } from './guard-failures.ts';
import { mcpOrigins } from './guard-origin.ts';
import { askDeadlines } from './legacy-asks.ts';
import { legacyDelete, legacyGet } from './legacy-get.ts';
import { legacyPost } from './legacy-post.ts';
import { listeners } from './listen.ts';
import type { MessageStream } from './message-stream.ts';
import type { Backend } from './model.ts';
import { modernPost } from './modern-post.ts';
import { paramCheck } from './param-check.ts';
import { parkedCalls } from './parked-calls.ts';
import type { PostAnswer } from './post-answer.ts';
import { protocolSessions } from './protocol-sessions.ts';
import { requestStates } from './request-state.ts';
import { mcpRoutes } from './routes.ts';
import { protocolSessionStore } from './store-protocol-sessions.ts';

export interface McpFrontDeps {
  backends: readonly Backend[];
  config: McpServerConfig;
  broker: Broker;
  origin: PublicOrigin;
  db: Db;
  ring: KeyRing;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  ledger: Pick<Ledger, 'authenticate' | 'attach' | 'requireLive' | 'whenEnding'>;
  audit: AuditRecorder;
  audits: Pick<AuditStore, 'insertAll'>;
  wwwAuthenticate: McpGuardDeps['wwwAuthenticate'];
  /** Whether MCP servers run in this process. */
  brokerRole: Pick<RoleGuard, 'require'>;
}

/** Everything between HTTP and the children. Disposing writes what waits. */
export interface McpFront extends AsyncDisposable {
  readonly nativeRoutes: NativeRoutes;
  readonly reapTask: ReapTask;
  /** The largest body that a route reads, in bytes. */
  readonly maxBodyBytes: number;
  /** One round: last uses, streams that nobody came back to, memory. */
  sweep(): Promise<void>;
  /** A comment in each open stream. */
  keepAlive(): void;
  /** Begins nothing more and ends what would stay open for ever; calls that run may finish. */
  close(): void;
}

/** Puts the HTTP side of MCP together; see DESIGN.md section 6 for what it promises. */
export function openMcpFront(deps: McpFrontDeps): McpFront {
  const { backends, config, broker, db, clock, log, metrics, ledger } = deps;
  const describe = failureDescriber(log);
  const dropped = metrics.counter('postern_audit_dropped_total', 'Audit rows that were lost.');
  const calls = callAudit({ db, store: deps.audits, clock, log, dropped });
  const meterOf = callMeters(metrics);
  for (const { name } of backends) meterOf(name);
  const run = callRunner({ broker, meterOf, audit: calls, clock });
  const slow = dueQueue<PostAnswer>(clock, config.stream_after, (answer) => answer.becomeSlow());
  const sessions = protocolSessions({
    db,
    store: protocolSessionStore(db),
    ledger,
    broker,
    deadlines: askDeadlines(clock, config.parked_call),
    clock,
    idleTimeoutMs: config.protocol_session_idle,
    resumeWindowMs: config.resume_window,
    maxPerGrant: config.protocol_sessions_per_grant,
  });
  const parked = parkedCalls({
    states: requestStates(deps.ring),
    clock,
    timeoutMs: config.parked_call,
    maxPerGrant: config.parked_calls_per_grant,
  });
  const listening = listeners({ broker, ledger });
  observe(metrics, { sessions, parked, listening });
  const streams = new Set<MessageStream>();
  let closing = false;

  const legacy = { sessions, broker, run, describe, slow, audit: deps.audit, clock };
  const modern = {
    broker,
    ledger,
    run,
    parked,
    listeners: listening,
    describe,
    slow,
    streams,
    clock,
    gatherMs: config.input_gather,
    paramChecks: paramCheck(),
  };
  return {
    nativeRoutes: mcpRoutes({
      ...deps,
      origins: mcpOrigins(deps.origin, config.allowed_origins),
      describe,
      legacyPost: legacyPost(legacy),
      legacyGet: legacyGet(legacy),
      legacyDelete: legacyDelete(legacy),
      modernPost: modernPost(modern),
      requireOpen() {
        deps.brokerRole.require();
        if (closing) throw shuttingDown();
      },
    }),
    reapTask: sessions.reapTask,
    maxBodyBytes: Math.max(0, ...backends.map(({ messageBytes }) => messageBytes)),
    sweep: () => sessions.sweep(),
    keepAlive() {
      sessions.keepAlive();
      listening.keepAlive();
      for (const stream of streams) stream.keepAlive();
    },
    close() {
      closing = true;
      listening[Symbol.dispose]();
      sessions.stopListening();
    },
    async [Symbol.asyncDispose]() {
      this.close();
      sessions[Symbol.dispose]();
      await calls[Symbol.asyncDispose]();
    },
  };
}

const shuttingDown = () =>
  new AppError('unavailable', 'shutting_down', 'The appliance is shutting down.', { retryAfterSeconds: 5 });

interface Counted {
  readonly count: number;
}

function observe(metrics: Metrics, things: { sessions: Counted; parked: Counted; listening: Counted }): void {
  const { sessions, parked, listening } = things;
  metrics.gauge(
    'postern_mcp_protocol_sessions',
    'Protocol sessions of older MCP clients in memory.',
    () => sessions.count,
  );
  metrics.gauge(
    'postern_mcp_parked_calls',
    'MCP calls that wait for input of their client.',
    () => parked.count,
  );
  metrics.gauge('postern_mcp_listeners', 'Open subscriptions of MCP clients.', () => listening.count);
}
