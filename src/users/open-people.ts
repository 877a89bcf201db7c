import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { people, type SessionEnding } from './people.ts';
import { userStore } from './store.ts';
import { invitationStore } from './store-invitations.ts';
import { passwordStore } from './store-passwords.ts';

export interface OpenPeopleDeps {
  db: Db;
  clock: Clock;
  audit: AuditRecorder;
  /** The ledger. */
  sessions: SessionEnding;
}

export type OpenPeople = ReturnType<typeof openPeople>;

/** People with their stores, put together over one database. */
export function openPeople({ db, clock, audit, sessions }: OpenPeopleDeps) {
  const store = userStore(db);
  const invitations = invitationStore(db);
  const passwords = passwordStore(db);
  return { store, invitations, passwords, acts: people({ db, clock, store, invitations, audit, sessions }) };
}
