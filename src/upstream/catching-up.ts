import type { RunningLedger } from '../sessions/open-ledger.ts';
import type { Grants } from './grants.ts';
import type { Needs } from './needs.ts';
import type { Secrets } from './secrets.ts';

export interface CatchingUpDeps {
  events: RunningLedger['events'];
  needs: Needs;
  grants: Pick<Grants, 'catchUp'>;
  secrets: Pick<Secrets, 'catchUp'>;
}

/** Hears that grants have changed in another process, and tells those here who run something with what was there before. */
export function catchingUp({ events, needs, grants, secrets }: CatchingUpDeps): Disposable {
  return events.subscribe(
    (snapshots) => {
      for (const { change, session } of snapshots) {
        if (change !== 'changed' || session.kind !== 'grant') continue;
        const { userId } = session;
        const wanted = needs.wantedAt(session.audience);
        for (const provider of wanted.providers) grants.catchUp({ userId, provider });
        for (const name of wanted.secrets) secrets.catchUp({ userId, name });
      }
    },
    ({ kind }) => kind === 'grant',
  );
}
