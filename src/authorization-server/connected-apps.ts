import { resourcesOf } from '../sessions/audience.ts';
import { PERSONAL_CLIENT_ID } from '../sessions/issuing.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { type Session, type SessionId, sessionEndsAt } from '../sessions/model.ts';
import type { Actor, UserId } from '../users/model.ts';
import { findResource } from './check-resource.ts';
import type { ProtectedResource } from './model.ts';
import type { CodeStore } from './store-codes.ts';

/** A process that runs for a client of somebody's. */
export interface RunningChild {
  readonly sessionId: SessionId;
  readonly pid: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

/** One program that acts for somebody at one backend. */
export interface ConnectedApp {
  readonly id: SessionId;
  readonly clientId: string;
  /** What the client called itself at consent. */
  readonly name: string;
  readonly redirectUri: string | undefined;
  /** The backend; `undefined` when it is not configured any more. */
  readonly backend: string | undefined;
  readonly resource: string;
  readonly scope: string;
  readonly address: string | undefined;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly expiresAt: number;
  /** `undefined` where another node runs MCP servers. */
  readonly children: readonly RunningChild[] | undefined;
}

export interface ConnectedAppsDeps {
  ledger: Pick<Ledger, 'listDurable' | 'findDurable' | 'end' | 'writeEnding' | 'endIn'>;
  codes: Pick<CodeStore, 'redirectUris'>;
  resources: () => readonly ProtectedResource[];
  /** `undefined` where another node runs MCP servers. */
  runningOf: (userId: UserId) => readonly RunningChild[] | undefined;
}

export type ConnectedApps = ReturnType<typeof connectedApps>;
type Person = Actor & { userId: UserId };

/** What a person let connect: to see, and to end. */
export function connectedApps({ ledger, codes, resources, runningOf }: ConnectedAppsDeps) {
  const grantsOf = (userId: UserId) => ledger.listDurable(userId).filter(isConnection);

  return {
    /** Newest use first. */
    list(userId: UserId): ConnectedApp[] {
      const redirectUris = codes.redirectUris(userId);
      const running = runningOf(userId);
      return grantsOf(userId).map((session) => {
        const [resource = ''] = resourcesOf(session.audience);
        return {
          id: session.id,
          clientId: session.clientId ?? '',
          name: session.label ?? '',
          redirectUri: redirectUris.get(session.id),
          backend: findResource(resource, resources())?.name,
          resource,
          scope: session.scope ?? '',
          address: session.origin.address,
          createdAt: session.createdAt,
          lastSeenAt: session.lastSeenAt,
          expiresAt: sessionEndsAt(session),
          children: running?.filter(({ sessionId }) => sessionId === session.id),
        };
      });
    },

    /** `false`: this person has no such connection. */
    async end(id: SessionId, by: Person): Promise<boolean> {
      const session = ledger.findDurable(id);
      if (session === undefined || session.userId !== by.userId || !isConnection(session)) return false;
      return ledger.end(id, endedBy(by));
    },

    /** Ends all of them in one transaction; resolves with how many there were. */
    async endAll(by: Person): Promise<number> {
      const ids = grantsOf(by.userId).map(({ id }) => id);
      const context = endedBy(by);
      const targets = ids.map((session) => ({ session, context }));
      const ended = await ledger.writeEnding(targets, (tx) =>
        ids.filter((id) => ledger.endIn(tx, id, context)),
      );
      return ended.length;
    },
  };
}

function endedBy({ userId, address }: Person) {
  return { reason: 'ended_by_user', actorUserId: userId, address } as const;
}

/** Whether a person has let a client connect to a resource, and that has not ended. */
export function isConnected(
  ledger: Pick<Ledger, 'listDurable'>,
  userId: UserId,
  clientId: string,
  { resource }: ProtectedResource,
): boolean {
  return ledger
    .listDurable(userId)
    .some(
      (session) =>
        isConnection(session) &&
        session.clientId === clientId &&
        resourcesOf(session.audience).includes(resource),
    );
}

function isConnection({ kind, clientId }: Session): boolean {
  return kind === 'grant' && clientId !== undefined && clientId !== PERSONAL_CLIENT_ID;
}
