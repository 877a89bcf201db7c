import { and, count, eq, inArray, isNull, ne, sql } from 'drizzle-orm';
import {
  applianceState,
  deliveries,
  devices,
  guestLinks,
  hostTickets,
  invitations,
  oauthCodes,
  oauthDeviceRequests,
  oauthRequests,
  pairingRequests,
  pairings,
  sessionIdTokens,
  sessionOutbox,
  sessions,
  signInAttempts,
  upstreamGrants,
  upstreamLinks,
  users,
} from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { beginSessionsEpoch } from '../sessions/store-epoch.ts';
import { REVOKED_KEPT_MS } from '../sessions/store-reaping.ts';

export interface RestoreTerms {
  /** Devices stay paired: they cannot sign in again by themselves. */
  keepDevices: boolean;
}

/**
 * Ends everything in a restored database that would let anybody in: it knows nothing of what was ended after it was
 * written. Returns how many live sessions were ended.
 */
export function endEverything(tx: Tx, now: number, { keepDevices }: RestoreTerms): number {
  const ended = endSessions(tx, now, keepDevices);
  if (!keepDevices) unpairAll(tx, now);
  // What waits may have arrived since, and would arrive twice.
  tx.update(deliveries)
    .set({ status: 'cancelled', settledAtMs: now })
    .where(eq(deliveries.status, 'queued'))
    .run();
  tx.delete(guestLinks).run();
  tx.delete(pairings).run();
  tx.delete(pairingRequests).run();
  endWhatLedToSessions(tx, now);
  return ended;
}

function endSessions(tx: Tx, now: number, keepDevices: boolean): number {
  const ending = and(eq(sessions.status, 'active'), keepDevices ? ne(sessions.kind, 'device') : undefined);
  const before = tx.select({ count: count() }).from(sessions).where(ending).get()?.count ?? 0;
  tx.update(sessions)
    .set({
      status: 'revoked',
      revokedAtMs: now,
      revokeReason: 'restored',
      reapAtMs: sql`coalesce(${sessions.reapAtMs}, ${now + REVOKED_KEPT_MS})`,
    })
    .where(ending)
    .run();
  return before;
}

/** A device whose session has ended is not paired any more: its serial and key are free for a new pairing. */
function unpairAll(tx: Tx, now: number): void {
  tx.update(devices)
    .set({ unpairedAtMs: now, unpairReason: 'restored' })
    .where(isNull(devices.unpairedAtMs))
    .run();
}

/** Codes, tickets, links and upstream tokens. */
function endWhatLedToSessions(tx: Tx, now: number): void {
  tx.update(users).set({ endedBeforeMs: now, endedExceptId: null }).run();
  // The clock may be behind that of the sign-ins since, as on a board that has just started.
  beginSessionsEpoch(tx);
  tx.delete(sessionIdTokens).run();
  tx.delete(sessionOutbox).run();
  tx.delete(hostTickets).run();
  tx.delete(signInAttempts).run();
  tx.delete(upstreamLinks).run();
  tx.delete(oauthRequests).run();
  tx.delete(oauthCodes).run();
  tx.delete(oauthDeviceRequests).run();
  // Providers have replaced the refresh tokens since: the old ones could only be taken for stolen.
  tx.update(upstreamGrants)
    .set({ status: 'link_again', endReason: 'restored', sealedAccessToken: null, sealedRefreshToken: null })
    .where(eq(upstreamGrants.status, 'active'))
    .run();
  tx.delete(invitations).where(isNull(invitations.usedAtMs)).run();
  tx.delete(applianceState)
    .where(
      inArray(applianceState.key, ['setup_secret_hash', 'setup_expires_at_ms', 'browser_sessions_in_redis']),
    )
    .run();
}
