import type { Branded } from '../lib/brand.ts';
import type { SessionId, SessionToken } from '../sessions/model.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import type { UserId } from '../users/model.ts';

export type DeviceId = Branded<`dev_${string}`, 'DeviceId'>;
export type PairingId = Branded<`pair_${string}`, 'PairingId'>;

/** Whether a text names a device by its id; no handle looks like one. */
export const isDeviceId = (text: string): text is DeviceId => /^dev_[a-z2-7]{26}$/.test(text);

export type DeviceLabels = Readonly<Record<string, string>>;
export type DeviceState = Readonly<Record<string, string | number | boolean>>;

/** What a device says of itself when it pairs. */
export interface DeviceAbout {
  readonly name: string;
  readonly serial: string | undefined;
  readonly platform: string | undefined;
  readonly chip: string | undefined;
  readonly labels: DeviceLabels;
}

/** Where a device asks from. */
export interface DeviceOrigin {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** What a device last reported: its own words, beside what is seen of it. */
export interface DeviceReport {
  readonly at: number;
  readonly version: string | undefined;
  readonly state: DeviceState | undefined;
}

/** A device as it stands. Another object for every change of it: what is worked out of one may be kept with it. */
export interface Device extends DeviceAbout {
  readonly id: DeviceId;
  /** Whose it is: who made the code, or approved. */
  readonly userId: UserId;
  readonly sessionId: SessionId;
  /** A DNS label, unique among live devices; it stays when the device is renamed. */
  readonly handle: string;
  readonly publicKey: DevicePublicKey;
  readonly pairedAt: number;
  readonly report: DeviceReport | undefined;
}

/** A pairing code, as it is kept. */
export interface Pairing {
  readonly id: PairingId;
  readonly userId: UserId;
  /** The browser session that made it; `undefined`: the operator at the machine. */
  readonly issuedBy: SessionId | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly redeemedAt: number | undefined;
  readonly deviceId: DeviceId | undefined;
  readonly proofs: TakenProofs;
}

/** Proofs that were taken and could still come again. */
export type TakenProofs = readonly (readonly [nonce: string, created: number])[];

/** What a device gets when it is paired. */
export interface Paired {
  readonly device: Device;
  readonly token: SessionToken;
}
