import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issued, Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import type { User } from '../users/model.ts';
import type { UserStore } from '../users/store.ts';
import type { KnownBrowser, KnownBrowsers } from './known-browsers.ts';
import { recordSignIn } from './record-sign-in.ts';

/** The browser that asks. */
export interface Visitor {
  readonly address: string;
  readonly userAgent: string | undefined;
  /** What its cookie says it has signed in to with a password before. */
  readonly browser: KnownBrowser | undefined;
  /** The session it holds already, which a new one replaces. */
  readonly sessionId: SessionId | undefined;
}

/** What a browser gets for signing in with a password. */
export interface LocalSignIn {
  readonly issued: Issued;
  readonly user: User;
  /** The new value of its known-browser cookie. */
  readonly knownBrowser: string;
}

export interface LocalSessionDeps {
  ledger: Ledger;
  store: UserStore;
  browsers: KnownBrowsers;
  audit: AuditRecorder;
  clock: Clock;
}

export type OpenLocalSession = ReturnType<typeof localSession>;

/** Opens the session of somebody whose password, or whose single-use link, was right; the browser's old one ends. */
export function localSession({ ledger, store, browsers, audit, clock }: LocalSessionDeps) {
  return (
    tx: Tx,
    user: User,
    visitor: Visitor,
    how: 'password' | 'setup' | 'invitation' | 'reset',
  ): LocalSignIn => {
    const { address, userAgent, sessionId } = visitor;
    const origin = { provider: undefined, providerSid: undefined, address, userAgent };
    const issued = ledger.openBrowserSession(tx, { userId: user.id, origin });
    if (sessionId !== undefined)
      ledger.endIn(tx, sessionId, { reason: 'replaced', actorUserId: user.id, address });
    store.update(tx, user.id, { lastSignInAt: clock.now() });
    recordSignIn(audit, tx, issued.session, { method: 'local', how });
    return { issued, user, knownBrowser: browsers.remember(visitor.browser, user.id) };
  };
}
