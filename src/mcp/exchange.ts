import type { RecognisedSession, SessionId } from '../sessions/model.ts';
import type { User, UserId } from '../users/model.ts';
import type { JsonObject } from './json-rpc.ts';
import type { Backend } from './model.ts';

/** Modern: 2026-07-28 and later, stateless. Legacy: 2025-11-25 and earlier, with `initialize`. */
export type Era = 'legacy' | 'modern';

/** Levels of RFC 5424, as MCP names them, from the most verbose to the least. */
export const LOG_LEVELS = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a client says of itself. */
export interface ClientView {
  readonly era: Era;
  readonly protocolVersion: string;
  /** `clientInfo`, untrusted text. */
  readonly info: JsonObject | undefined;
  readonly capabilities: JsonObject;
  /** The least level of log messages that it wants; absent: the server's choice (legacy), none at all (modern). */
  readonly logLevel: LogLevel | undefined;
}

/**
 * One request of a client on its way to a backend, whichever era the client speaks.
 * Everything said through it reaches that request's caller alone, or nobody when the caller is gone.
 */
export interface Exchange {
  readonly method: string;
  /** As sent, `_meta` included; a `progressToken` in it is the client's own, and ours to translate. */
  readonly params: JsonObject | undefined;
  readonly client: ClientView;
  /** Aborts when the client cancelled or went away: the backend is told `notifications/cancelled`. */
  readonly signal: AbortSignal;
  /** A message that belongs to this request: progress (with the client's own token), log messages. Never throws. */
  notify(method: string, params?: JsonObject): void;
  /**
   * A request of the backend to the client: `sampling/createMessage`, `elicitation/create`, `roots/list`.
   * Resolves to the client's result. @throws JsonRpcError: the client's, or ours where it cannot be asked or is gone.
   * `name` is what a modern backend calls it in `inputRequests`; a modern client sees the same name.
   */
  ask(method: string, params?: JsonObject, name?: string): Promise<JsonObject>;
}

/** What a server tells of itself when it starts (`initialize` or `server/discover`). */
export interface ServerAbout {
  readonly protocolVersion: string;
  readonly serverInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

/** How a connection came to its end. */
export interface ExitCause {
  readonly kind: 'ended' | 'exited' | 'crashed' | 'protocol' | 'lost';
  /** For the log; nothing that the backend wrote. */
  readonly detail: string | undefined;
}

/** A live backend (a child, or a remote server), whichever era it speaks. */
export interface BackendConnection {
  readonly era: Era;
  readonly about: ServerAbout;
  /** Differs between any two connections of one run of the appliance. */
  readonly generation: number;
  /**
   * The result of the whole call. A modern backend's `input_required` is turned into `exchange.ask` inside.
   * @throws JsonRpcError with code, message and data of the backend; `INTERNAL_ERROR` when it died.
   */
  call(exchange: Exchange): Promise<JsonObject>;
  /** A notification of a client, such as `notifications/roots/list_changed`. */
  notify(method: string, params?: JsonObject): void;
  readonly exited: Promise<ExitCause>;
  end(): Promise<void>;
}

/** Who wants a backend: one child belongs to one grant, or to one protocol session where `sharing = "session"`. */
export interface Holder {
  readonly session: RecognisedSession;
  readonly user: User;
  readonly backend: Backend;
  /** Set for a legacy client. A backend that is shared by the grant pays no heed to it. */
  readonly protocolSessionId?: string | undefined;
}

/** A hold on the live connection: it is not reaped while somebody has one. */
export interface Lease {
  readonly connection: BackendConnection;
  /** Doing so twice is harmless. */
  release(): void;
}

/** A client that hears what belongs to no request of its own: the GET stream of legacy, `subscriptions/listen` of modern. */
export interface UnsolicitedView {
  readonly client: ClientView;
  /**
   * Hands over `notifications/…`; log messages are filtered by level here, `resources/updated` by subscription there.
   * `true`: a stream carried it, so the child counts as used.
   */
  deliver(method: string, params?: JsonObject): boolean;
  /** A request of the backend that belongs to no call. @throws JsonRpcError when no stream is open or the client cannot. */
  ask(method: string, params?: JsonObject): Promise<JsonObject>;
}

/** A view that is attached to whatever child serves its holder, now or later: swaps and reaped children do not end it. */
export interface Attachment extends Disposable {
  /** The least level wanted; the child is told the most verbose of all views when it lives, and at its next start. */
  setLogLevel(level: LogLevel | undefined): Promise<void>;
  /** Counted over all views; replayed to later children. @throws JsonRpcError of the backend, AppError like `lease`. */
  subscribe(uri: string): Promise<void>;
  unsubscribe(uri: string): Promise<void>;
}

/** One child that runs, for "Connected apps". */
export interface RunningChild {
  readonly backend: string;
  readonly sessionId: SessionId;
  readonly pid: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

export interface Broker {
  /**
   * A hold on the live connection of this holder, spawning it when needed. A swap between two leases is invisible; calls
   * in flight stay on the old connection.
   * @throws AppError `too_many_requests` (limits), `unavailable` (backoff, upstream), `unauthorized` (link again);
   * JsonRpcError `INTERNAL_ERROR` when the backend does not start.
   */
  lease(holder: Holder): Promise<Lease> | Lease;
  /** Attaches without spawning anything; what was asked of it is replayed to each child of the holder. */
  attach(
    holder: Holder,
    view: UnsolicitedView,
    initial?: { logLevel?: LogLevel | undefined; subscriptions?: readonly string[] },
  ): Attachment;
  /** What the backend told of itself at an earlier start, for a slow child. */
  cachedAbout(holder: Holder): ServerAbout | undefined;
  /** The protocol session is over: ends the child that it had for itself, if any. */
  forget(holder: Holder): void;
  running(userId: UserId): RunningChild[];
}
