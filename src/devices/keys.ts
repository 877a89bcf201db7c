import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { ownActs } from './audit-rows.ts';
import type { DeviceDirectory } from './directory.ts';
import { keyInUse, keyReplaced } from './errors.ts';
import type { DeviceCounts } from './metrics.ts';
import type { Device, DeviceOrigin, Paired } from './model.ts';
import { type Proof, requireProof } from './proof.ts';
import type { DeviceStore } from './store.ts';

export interface DeviceKeysDeps {
  db: Db;
  store: Pick<DeviceStore, 'read' | 'taken' | 'update'>;
  directory: Pick<DeviceDirectory, 'changed'>;
  ledger: Pick<Ledger, 'replaceDeviceToken' | 'changeDeviceKey'>;
  audit: AuditRecorder;
  clock: Clock;
  counts: Pick<DeviceCounts, 'keyRotated'>;
  /** The origin of `url`. */
  origin: string;
}

export type DeviceKeys = ReturnType<typeof deviceKeys>;

/** Replaces keys of devices, and the tokens with them. */
export function deviceKeys({ db, store, directory, ledger, audit, clock, counts, origin }: DeviceKeysDeps) {
  const record = ownActs({ audit, clock });

  return {
    /**
     * The device signs with the new key from now on, and has a new token. What the proof is over is the id of its session.
     * A device that did not get the answer asks again with the new key, which then is its own already.
     * `undefined`: it was unpaired meanwhile.
     * @throws AppError `unprocessable` (`bad_public_key`), `unauthorized` (`proof_…`; `signature_invalid` where the key that
     * signed the request was replaced meanwhile), `conflict` (`key_in_use`).
     */
    async rotate(
      { id, sessionId }: Device,
      proof: Proof,
      { signedWith, ...from }: DeviceOrigin & { signedWith: string },
    ): Promise<Paired | undefined> {
      const publicKey = requireProof(proof, { origin, presented: sessionId, now: clock.now() });
      return db.write((tx) => {
        const device = store.read(tx, id);
        if (device === undefined) return undefined;
        if (device.publicKey !== signedWith) throw keyReplaced(clock.now());
        if (store.taken(tx, { id, publicKey, serial: undefined }) !== undefined) throw keyInUse();
        const token = ledger.replaceDeviceToken(tx, sessionId);
        if (device.publicKey === publicKey) {
          record(tx, 'device.token_repeated', device, from);
          return { device, token };
        }
        ledger.changeDeviceKey(tx, sessionId, publicKey);
        store.update(tx, id, { publicKey });
        directory.changed(tx, device);
        afterCommit(tx, counts.keyRotated);
        record(tx, 'device.key_rotated', device, from);
        return { device: { ...device, publicKey }, token };
      });
    },
  };
}
