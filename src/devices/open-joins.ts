import type { AuditRecorder } from '../audit/recorder.ts';
import { DEVICE_PATH } from '../authorization-server/constants.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { pollPace } from '../lib/poll-pace.ts';
import { typedCodeHashes } from '../lib/typed-code.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import type { Admission } from './admission.ts';
import { joinRequests } from './join-requests.ts';
import type { CountJoin } from './metrics.ts';
import type { RedeemLimitsDeps } from './redeem-limits.ts';
import type { DeviceStore } from './store.ts';
import { joinRequestStore } from './store-join-requests.ts';

export interface OpenJoinsDeps extends Pick<RedeemLimitsDeps, 'limiter' | 'addressKey'> {
  config: Config['devices'];
  db: Db;
  ring: KeyRing;
  devices: DeviceStore;
  admission: Admission;
  ledger: Pick<Ledger, 'requireLive' | 'whenEnding'>;
  audit: AuditRecorder;
  count: CountJoin;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  /** The origin of `url`. */
  origin: string;
}

const JOIN_CODE = keyPurpose('join code');
const MAX_ADDRESSES = 10_000;

export type OpenJoins = ReturnType<typeof openJoins>;

/** Puts together how devices come in that begin by themselves. */
export function openJoins({ config, db, ring, ledger, clock, ...deps }: OpenJoinsDeps) {
  const store = joinRequestStore(db);
  const joins = joinRequests({
    ...deps,
    db,
    store,
    ledger,
    clock,
    hashes: typedCodeHashes(ring, JOIN_CODE),
    pace: pollPace({ clock, intervalMs: config.join_poll_interval, maxKeys: config.joins }),
    limit: deps.limiter({
      name: 'joins',
      limit: config.joins_per_address,
      windowMs: config.redeems_window,
      maxKeys: MAX_ADDRESSES,
    }),
    maxPending: config.joins,
    lifetimeMs: config.pairing_lifetime,
  });
  ledger.whenEnding((tx, ended) => joins.voidOf(tx, ended));
  return {
    ...joins,
    /** Where the code is typed. */
    verificationUri: deps.origin + DEVICE_PATH,
    lifetimeMs: config.pairing_lifetime,
    pollIntervalMs: config.join_poll_interval,
    reapTask: {
      name: 'pairing_requests',
      deleteExpired: (tx, now, most) => store.deleteExpired(tx, now, most),
    } satisfies ReapTask,
  };
}
