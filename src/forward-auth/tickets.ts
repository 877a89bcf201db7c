import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newSecret } from '../lib/random.ts';
import type { Issued, Ledger } from '../sessions/ledger.ts';
import type { RecognisedSession, SessionId, TokenHash } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import type { FlowTarget } from './flows.ts';
import type { HostTicket } from './model.ts';
import type { TicketStore } from './store.ts';

export interface HostTicketsDeps {
  db: Db;
  store: TicketStore;
  ledger: Pick<Ledger, 'requireLive' | 'openChildSession' | 'whenEnding'>;
  audit: AuditRecorder;
  clock: Clock;
  lifetimeMs: number;
}

export interface TicketRequest {
  /** The browser session on the appliance's own origin. */
  session: RecognisedSession;
  flowHash: TokenHash;
  target: FlowTarget;
}

/** A ticket as a browser brings it to the host it names. */
export interface TicketPresentation {
  ticket: string;
  host: string;
  /** Hashes of every flow cookie the browser holds there. */
  flowHashes: readonly TokenHash[];
  /** The session of that host which the browser has already, from another tab: it is kept. */
  existing: RecognisedSession | undefined;
  address: string;
  userAgent: string | undefined;
}

export type TicketRefusal = 'unknown' | 'expired' | 'other_host' | 'other_browser' | 'session_ended';

export type Redemption =
  | { readonly ok: true; readonly ticket: HostTicket; readonly issued: Issued | undefined }
  | { readonly ok: false; readonly reason: TicketRefusal };

const UNKNOWN: Redemption = { ok: false, reason: 'unknown' };

export type HostTickets = ReturnType<typeof hostTickets>;

/**
 * Tickets are used up by their first presentation, whether it matches or not, so that none can be tried twice.
 * They go with the session that asked for them.
 */
export function hostTickets({ db, store, ledger, audit, clock, lifetimeMs }: HostTicketsDeps) {
  ledger.whenEnding((tx, sessions) => store.deleteOf(tx, sessions));

  const refusalOf = (
    tx: Tx,
    ticket: HostTicket,
    presented: TicketPresentation,
  ): TicketRefusal | undefined => {
    if (clock.now() >= ticket.expiresAt) return 'expired';
    if (ticket.host !== presented.host) return 'other_host';
    if (!presented.flowHashes.includes(ticket.flowHash)) return 'other_browser';
    return isLive(tx, ticket.parentSessionId) ? undefined : 'session_ended';
  };

  const isLive = (tx: Tx, id: SessionId) => {
    try {
      ledger.requireLive(tx, id);
      return true;
    } catch (error) {
      if (error instanceof AppError && error.kind === 'unauthorized') return false;
      throw error;
    }
  };

  const open = (tx: Tx, { parentSessionId: parentId }: HostTicket, presented: TicketPresentation) => {
    const { address, userAgent, host, existing } = presented;
    if (existing?.parentId === parentId) return undefined;
    const origin = { provider: undefined, providerSid: undefined, address, userAgent };
    return ledger.openChildSession(tx, { parentId, host, origin });
  };

  const record = (
    tx: Tx,
    { userId, host }: HostTicket,
    { address, userAgent }: TicketPresentation,
    result: { sessionId: SessionId } | { reason: TicketRefusal },
  ) =>
    audit.record(tx, {
      at: clock.now(),
      action: 'forward_auth.ticket',
      address,
      userAgent,
      ...('reason' in result
        ? { outcome: 'refused', subjectUserId: userId, detail: { host, reason: result.reason } }
        : { outcome: 'success', actorUserId: userId, sessionId: result.sessionId, detail: { host } }),
    });

  return {
    /** @throws AppError `unauthorized` (`session_ended`) unless the session that asks is live. */
    issue({ session, flowHash, target }: TicketRequest): Promise<string> {
      const ticket = newSecret();
      return db.write((tx) => {
        ledger.requireLive(tx, session.id);
        store.insert(tx, {
          hash: hashToken(ticket),
          host: target.host,
          userId: session.userId,
          parentSessionId: session.id,
          flowHash,
          returnPath: target.path,
          expiresAt: clock.now() + lifetimeMs,
        });
        return ticket;
      });
    },

    /** Opens a session of the host for the browser that began the flow, in one transaction with the ticket's end. */
    async redeem(presented: TicketPresentation): Promise<Redemption> {
      const hash = hashToken(presented.ticket);
      if (!store.exists(hash)) return UNKNOWN;
      return db.write((tx): Redemption => {
        const ticket = store.consume(tx, hash);
        if (ticket === undefined) return UNKNOWN;
        const reason = refusalOf(tx, ticket, presented);
        if (reason !== undefined) {
          record(tx, ticket, presented, { reason });
          return { ok: false, reason };
        }
        const issued = open(tx, ticket, presented);
        if (issued !== undefined) record(tx, ticket, presented, { sessionId: issued.session.id });
        return { ok: true, ticket, issued };
      });
    },
  };
}
