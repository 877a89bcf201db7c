import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import type { UserId } from '../users/model.ts';
import { ownActs } from './audit-rows.ts';
import { keyInUse, serialInUse, tooManyDevices } from './errors.ts';
import { handleFor, handlePrefix } from './handle.ts';
import type { Device, DeviceAbout, DeviceId, DeviceOrigin, Paired } from './model.ts';
import type { DeviceStore } from './store.ts';

export interface AdmissionDeps {
  store: DeviceStore;
  ledger: Pick<Ledger, 'openDevice' | 'replaceDeviceToken'>;
  audit: AuditRecorder;
  clock: Clock;
  /** Devices of one person. */
  maxPerUser: number;
}

/** A device that somebody lets in. Its proof has been checked. */
export interface NewDevice {
  /** Whose it becomes. */
  readonly userId: UserId;
  /** The browser session that let it in; `undefined`: the operator at the machine. */
  readonly issuedBy: SessionId | undefined;
  readonly publicKey: DevicePublicKey;
  readonly about: DeviceAbout;
  readonly from: DeviceOrigin;
}

export type Admission = ReturnType<typeof admission>;

/** Makes a device with its session, inside the transaction that uses up what let it in. */
export function admission({ store, ledger, audit, clock, maxPerUser }: AdmissionDeps) {
  const requireFree = (tx: Tx, device: Pick<Device, 'id' | 'publicKey' | 'serial'>) => {
    const taken = store.taken(tx, device);
    if (taken === 'key') throw keyInUse();
    if (taken === 'serial') throw serialInUse();
  };

  const record = ownActs({ audit, clock });

  return {
    /**
     * @throws AppError `conflict` (`key_in_use`, `serial_in_use`), `unprocessable` (`too_many_devices`), `unauthorized`
     * (`session_ended`) when who let it in has gone, `forbidden` (`user_disabled`).
     */
    admit(tx: Tx, { userId, issuedBy, publicKey, about, from }: NewDevice): Paired {
      const id = newId('dev') as DeviceId;
      requireFree(tx, { id, publicKey, serial: about.serial });
      if (store.count(tx, userId) >= maxPerUser) throw tooManyDevices(maxPerUser);
      const { session, token } = ledger.openDevice(tx, {
        userId,
        issuedBy,
        deviceId: id,
        clientPublicKey: publicKey,
        label: about.name,
        origin: { provider: undefined, providerSid: undefined, ...from },
      });
      const taken = store.takenHandles(tx, handlePrefix(about.name), userId);
      const device: Device = {
        ...about,
        id,
        userId,
        sessionId: session.id,
        handle: handleFor(about.name, (handle) => taken.has(handle)),
        publicKey,
        pairedAt: session.createdAt,
        report: undefined,
      };
      store.insert(tx, device);
      record(tx, 'device.paired', device, from);
      return { device, token };
    },

    /** The answer once more, for a device that did not get it: with a new token, the one before is good no more. */
    repeat(tx: Tx, device: Device, from: DeviceOrigin): Paired {
      const token = ledger.replaceDeviceToken(tx, device.sessionId);
      record(tx, 'device.token_repeated', device, from);
      return { device, token };
    },
  };
}
