import type { Tx } from '../db/write.ts';
import type { RunningLedger } from '../sessions/open-ledger.ts';
import type { UserId } from '../users/model.ts';
import { grantsAt, type Needs } from './needs.ts';
import type { UpstreamDependent } from './tokens.ts';

/** Tells other processes that what stands behind grants at backends is another. */
export interface Announcements {
  token(tx: Tx, of: UpstreamDependent): void;
  secret(tx: Tx, of: { readonly userId: UserId; readonly name: string }): void;
}

/** Where one process has the data to itself. */
export const noAnnouncements: Announcements = { token: () => undefined, secret: () => undefined };

/** Says of the sessions that depend on a token or a secret that they have changed: whoever runs something for one looks again. */
export function announcements(
  ledger: Pick<RunningLedger, 'listDurable' | 'announceChanged'>,
  needs: Needs,
): Announcements {
  return {
    token: (tx, { userId, provider }) =>
      ledger.announceChanged(tx, grantsAt(ledger, userId, needs.audiencesOf(provider))),
    secret: (tx, { userId, name }) =>
      ledger.announceChanged(tx, grantsAt(ledger, userId, needs.audiencesOfSecret(name))),
  };
}
