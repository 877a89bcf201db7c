import type { AuditRecorder } from '../audit/recorder.ts';
import { addressKey, rateLimiter } from '../http/rate-limit.ts';
import type { RequestContext } from '../http/request-context.ts';
import { AppError, type ErrorKind } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Caller } from '../sessions/guard.ts';
import type { RefusalReason } from './model.ts';

/** Rows written for one reason and one address in `WINDOW_MS`; what comes beyond is only counted. */
const ROWS = 20;
const WINDOW_MS = 60_000;
const MAX_KEYS = 1_000;

export interface NotedRefusal {
  reason: string;
  context: Pick<RequestContext, 'address' | 'userAgent'>;
  /** A protected host; what a stranger sent instead of one never gets here. */
  host?: string | undefined;
  /** Who it was, where that is known. */
  caller?: Caller | undefined;
}

export type RefusalNotes = ReturnType<typeof refusalNotes>;

/** Writes refusals into the audit, bounded, so that a flood of them hides nothing else. */
export function refusalNotes({ audit, clock }: { audit: AuditRecorder; clock: Clock }) {
  const rows = rateLimiter({ clock, limit: ROWS, windowMs: WINDOW_MS, maxKeys: MAX_KEYS });
  return (
    action: 'forward_auth.denied' | 'forward_auth.ticket' | 'device.denied',
    { reason, context: { address, userAgent }, host, caller }: NotedRefusal,
  ): void => {
    if (!rows.take(`${reason} ${addressKey(address)}`).ok) return;
    audit.note({
      at: clock.now(),
      action,
      outcome: 'refused',
      actorUserId: caller?.user.id,
      sessionId: caller?.session.id,
      address,
      userAgent,
      detail: { reason, ...(host !== undefined && { host }) },
    });
  };
}

const REFUSALS: Readonly<Record<RefusalReason, readonly [ErrorKind, string]>> = {
  untrusted_peer: ['forbidden', 'Only a proxy named in trusted_proxies may ask this.'],
  forwarded_headers: ['bad_request', 'The proxy did not say which request it asks about.'],
  unprotected_host: ['forbidden', 'No rule names this host.'],
  insecure_scheme: [
    'bad_request',
    'The proxy says that this request came over another scheme than this host has.',
  ],
  ambiguous_path: ['bad_request', 'The path can be read in more than one way.'],
  unmatched_path: ['forbidden', 'No rule names this path.'],
  postern_path: ['forbidden', 'The proxy must hand paths under /.postern/ to Postern, without a check.'],
  disguised_header: ['bad_request', 'A header would reach the app under the name of another.'],
  foreign_upgrade: ['bad_request', 'Of all upgrades, only that to a WebSocket is let through.'],
  bad_cookie: ['bad_request', 'A cookie was sent twice or is malformed.'],
  not_allowed: ['forbidden', 'You are signed in, but may not open this.'],
  cross_origin: ['forbidden', 'This request did not come from a page of this site.'],
};

/** What a refusal says outside. It never repeats what was sent. */
export function refusalError(reason: RefusalReason): AppError {
  const [kind, message] = REFUSALS[reason];
  return new AppError(kind, reason, message);
}
