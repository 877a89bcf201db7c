import type { AuditEntry } from '../audit/model.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { CallMeter, CallOutcome } from './call-metrics.ts';
import type { ClientExchange, Outcome } from './client-exchange.ts';
import type { BackendConnection, Broker, Holder, Lease } from './exchange.ts';
import { INTERNAL_ERROR, type JsonObject, JsonRpcError } from './json-rpc.ts';
import { notOffered, requireTool, withoutDeniedTools } from './tool-filter.ts';

export interface CallsDeps {
  broker: Pick<Broker, 'lease'>;
  meterOf: (backend: string) => CallMeter;
  audit: { note(entry: AuditEntry): void };
  clock: Clock;
}

export interface CallOptions {
  /** Told which connection serves the call, before it is made; what it throws is the outcome. */
  onConnection?: (connection: BackendConnection) => void;
  /** Told what that connection answered, as the client will see it. */
  onResult?: (connection: BackendConnection, result: JsonObject) => void;
  /** Where the request came from. */
  address: string | undefined;
}

export type RunCall = (holder: Holder, exchange: ClientExchange, options: CallOptions) => Promise<void>;

/**
 * Runs the calls of clients: a lease for as long as one takes, then its outcome to the exchange, the meter and the audit.
 * What it returns never rejects.
 */
export function callRunner({ broker, meterOf, audit, clock }: CallsDeps): RunCall {
  const perform = async (holder: Holder, exchange: ClientExchange, options: CallOptions) => {
    const { backend } = holder;
    requireTool(backend.tools, exchange.method, exchange.params);
    const found = broker.lease(holder);
    const lease = found instanceof Promise ? await found : found;
    try {
      options.onConnection?.(lease.connection);
      const answered = await callOrCancel(lease, exchange);
      const result = withoutDeniedTools(backend.tools, exchange.method, answered);
      options.onResult?.(lease.connection, result);
      return result;
    } finally {
      lease.release();
    }
  };

  return async (holder, exchange, options) => {
    const startedAt = clock.monotonicNow();
    const outcome: Outcome = await perform(holder, exchange, options).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    tell(exchange, outcome);
    const tookMs = clock.monotonicNow() - startedAt;
    const meter = meterOf(holder.backend.name);
    const kind = kindOf(outcome, exchange);
    meter.count(kind);
    meter.seconds.observe(tookMs / 1_000);
    audit.note(auditEntry(holder, exchange, { kind, at: clock.now(), tookMs, address: options.address }));
  };
}

/** What cannot be written as JSON, because it is nested too deeply, is an error of the backend. */
function tell(exchange: ClientExchange, outcome: Outcome): void {
  try {
    exchange.finish(outcome);
  } catch {
    exchange.finish({
      error: new JsonRpcError(INTERNAL_ERROR, 'The answer of the server cannot be passed on.'),
    });
  }
}

/** A backend that does not answer a cancelled request keeps nobody: the lease is given back at once. */
function callOrCancel({ connection }: Lease, exchange: ClientExchange): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    exchange.onCancel = reject;
    if (exchange.cancelReason !== undefined) return reject(exchange.cancelReason);
    connection.call(exchange).then(resolve, reject);
  });
}

function kindOf(outcome: Outcome, exchange: ClientExchange): CallOutcome {
  if (exchange.cancelReason !== undefined) return 'cancelled';
  if ('result' in outcome) return outcome.result['isError'] === true ? 'error' : 'success';
  const { error } = outcome;
  if (error instanceof AppError) return error.kind === 'unavailable' ? 'unavailable' : 'refused';
  return error instanceof JsonRpcError && error.message === notOffered().message ? 'refused' : 'error';
}

/** Names of methods and tools that a client sent go into the audit only when they look like such names. */
const A_NAME = /^[A-Za-z0-9_./:-]{1,128}$/;

function auditEntry(
  { session, user, backend }: Holder,
  { method, params }: ClientExchange,
  call: { kind: CallOutcome; at: number; tookMs: number; address: string | undefined },
): AuditEntry {
  const tool = method === 'tools/call' || method === 'prompts/get' ? params?.['name'] : undefined;
  return {
    at: call.at,
    action: 'mcp.call',
    outcome: call.kind === 'refused' ? 'refused' : 'success',
    actorUserId: user.id,
    sessionId: session.id,
    address: call.address,
    detail: {
      backend: backend.name,
      client: session.clientId ?? '',
      method: nameOrNot(method),
      ...(tool !== undefined && { tool: nameOrNot(tool) }),
      result: call.kind,
      ms: Math.round(call.tookMs),
    },
  };
}

function nameOrNot(value: unknown): string {
  return typeof value === 'string' && A_NAME.test(value) ? value : 'other';
}
