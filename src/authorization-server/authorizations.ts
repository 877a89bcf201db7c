import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import { newSecret } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { hashToken } from '../sessions/token.ts';
import type { AuthorizationRequest, Consenter } from './model.ts';
import type { ClientStore } from './store-clients.ts';
import type { CodeStore } from './store-codes.ts';
import type { RequestStore } from './store-requests.ts';

export interface AuthorizationsDeps {
  db: Db;
  codes: CodeStore;
  requests: RequestStore;
  clients: ClientStore;
  ledger: Pick<Ledger, 'requireLive'>;
  audit: AuditRecorder;
  clock: Clock;
  codeLifetimeMs: number;
  /** Time to link an account after consent. */
  waitMs: number;
  /** How long a registered client is remembered after a consent. */
  clientLifetimeMs: number;
}

export type Authorizations = ReturnType<typeof authorizations>;

/** What follows consent: a code, or a wait for an account to be linked first. */
export function authorizations(deps: AuthorizationsDeps) {
  const { db, codes, requests, ledger, clock } = deps;

  const note = (tx: Tx, { clientId, resource }: AuthorizationRequest, { user, session }: Consenter) =>
    deps.audit.record(tx, {
      at: clock.now(),
      action: 'oauth.consented',
      outcome: 'success',
      actorUserId: user.id,
      sessionId: session.id,
      detail: { client: clientId, resource },
    });

  return {
    /** Writes a code for the session that consented. @throws AppError `unauthorized` (`session_ended`). */
    async issueCode(request: AuthorizationRequest, caller: Consenter): Promise<string> {
      const code = newSecret();
      const { state: _, ...rest } = request;
      await db.write((tx) => {
        ledger.requireLive(tx, caller.session.id);
        const now = clock.now();
        codes.insert(tx, {
          ...rest,
          hash: hashToken(code),
          userId: caller.user.id,
          issuedBy: caller.session.id,
          expiresAt: now + deps.codeLifetimeMs,
          redeemedAt: undefined,
          sessionId: undefined,
        });
        deps.clients.used(tx, request.clientId, now + deps.clientLifetimeMs);
        note(tx, request, caller);
      });
      return code;
    },

    /** Keeps a consented request until its account is linked; resolves with the secret that finds it again. */
    async wait(request: AuthorizationRequest, caller: Consenter): Promise<string> {
      const secret = newSecret();
      await db.write((tx) => {
        ledger.requireLive(tx, caller.session.id);
        requests.insert(tx, {
          hash: hashToken(secret),
          sessionId: caller.session.id,
          request,
          expiresAt: clock.now() + deps.waitMs,
        });
      });
      return secret;
    },

    /** Takes a waiting request, once, in the session that consented to it. */
    async resume(secret: string, caller: Consenter): Promise<AuthorizationRequest | undefined> {
      const waiting = await db.write((tx) => requests.consume(tx, hashToken(secret), caller.session.id));
      return waiting !== undefined && clock.now() < waiting.expiresAt ? waiting.request : undefined;
    },
  };
}
