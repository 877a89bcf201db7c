import { count, eq, inArray, isNull } from 'drizzle-orm';
import {
  applianceState,
  hostTickets,
  invitations,
  oauthCodes,
  oauthDeviceRequests,
  oauthRequests,
  sessionIdTokens,
  sessionOutbox,
  sessions,
  signInAttempts,
  upstreamGrants,
  upstreamLinks,
  users,
} from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';

/**
 * Ends everything in a restored database that would let anybody in: it knows nothing of what was ended after it was
 * written. Returns how many live sessions there were.
 */
export function endEverything(tx: Tx, now: number): number {
  const active = eq(sessions.status, 'active');
  const before = tx.select({ count: count() }).from(sessions).where(active).get()?.count ?? 0;
  tx.update(sessions)
    .set({ status: 'revoked', revokedAtMs: now, revokeReason: 'restored' })
    .where(active)
    .run();
  tx.update(users).set({ endedBeforeMs: now }).run();
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
    .where(inArray(applianceState.key, ['setup_secret_hash', 'setup_expires_at_ms']))
    .run();
  return before;
}
