import type { Timer } from '../lib/clock.ts';
import type { SessionId } from '../sessions/model.ts';
import type { UpstreamToken } from '../upstream/tokens.ts';
import type { User, UserId } from '../users/model.ts';
import type { ManagedConnection } from './connection.ts';
import type { Holder } from './exchange.ts';
import type { Backend } from './model.ts';
import { NO_FAILURES } from './restarts.ts';
import { Views } from './views.ts';

/** One running backend. */
export interface Child {
  readonly connection: ManagedConnection;
  /** The token that it was given, where it has a provider. */
  readonly token: UpstreamToken | undefined;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Monotonic milliseconds. */
  readonly startedTick: number;
  lastUsedTick: number;
  leases: number;
  /** Set when a newer one has taken its place: called when the last lease is released. */
  whenFree: (() => void) | undefined;
}

/** What a child is there for: one grant, or one protocol session of it. It stays when its children come and go. */
export class Tenant {
  readonly key: string;
  readonly sessionId: SessionId;
  readonly userId: UserId;
  readonly backend: Backend;
  readonly views = new Views();
  /** As of the last request, for the next start. */
  user: User;
  /** The one that serves new calls. */
  current: Child | undefined;
  /** Replaced, and finishing their calls. */
  readonly retiring = new Set<Child>();
  starting: Promise<void> | undefined;
  swapping: Promise<void> | undefined;
  /** The newest token that it has been told of. */
  wanted: UpstreamToken | undefined;
  /** What it was started with, apart from the token, is out of date. */
  stale = false;
  swapFailures = 0;
  retry: Timer | undefined;
  /** Callers that wait for a child. */
  waiting = 0;
  restarts = NO_FAILURES;
  /** Aborts when the session has ended: nothing is started any more, and what is being started ends. */
  readonly over = new AbortController();
  attachedToSession: Disposable | undefined;

  constructor(key: string, { session, user, backend }: Holder) {
    this.key = key;
    this.sessionId = session.id;
    this.userId = user.id;
    this.user = user;
    this.backend = backend;
  }

  get ended(): boolean {
    return this.over.signal.aborted;
  }

  /** Nothing would be lost if it were forgotten. */
  isIdle(tick: number): boolean {
    const { current, starting, swapping, waiting, views, retiring, restarts } = this;
    const busy = current ?? starting ?? swapping;
    return (
      busy === undefined &&
      waiting === 0 &&
      views.size === 0 &&
      retiring.size === 0 &&
      restarts.notBefore <= tick
    );
  }
}

/** One child belongs to one grant at one backend, or to one protocol session where the backend is not shared. */
export function tenantKey({ session, backend, protocolSessionId }: Holder): string {
  const shared = `${session.id} ${backend.name}`;
  return backend.sharing === 'grant' || protocolSessionId === undefined
    ? shared
    : `${shared} ${protocolSessionId}`;
}
