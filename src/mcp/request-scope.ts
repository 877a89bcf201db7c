import type { Holder } from './exchange.ts';

/** One HTTP request of a client that has shown who it is. */
export interface RequestScope {
  readonly request: Request;
  readonly holder: Holder;
  /** The client's address, for the audit. */
  readonly address: string;
  /** `WWW-Authenticate` of this backend, for a call that finds out late that the client has to sign in again. */
  readonly challenge: string;
  /** Lifts the connection's idle timeout, for an answer that stays open. */
  readonly keepOpen: () => void;
  /** Gives the answer the time that a server may take to start. */
  readonly bePatient: () => void;
}

/** Whether a client takes an answer as a stream of events (RFC 9110 section 12.5.1). */
export function takesStream({ headers }: Request): boolean {
  const accept = headers.get('accept');
  return accept === null || accept.includes('text/event-stream') || accept.includes('*/*');
}
